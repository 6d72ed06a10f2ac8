"""The people of the demo: one member of staff for each role, and a small town of members."""

from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db.models import QuerySet

from systemadmin.foundation.plugins import DemoWorld
from systemadmin.models import ApprovalRequest, User

# Published on purpose: these accounts can sign in only while DEMO_MODE is on.
PASSWORD: Final = "atalaya-demo"  # noqa: S105
MEMBERS: Final = 320

STAFF: Final = {
    "admin": ("demo_admin", "Alba", "Torres", "es"),
    "support_agent": ("demo_support", "Sofía", "Prieto", "es"),
    "marketplace_moderator": ("demo_moderator", "Marc", "Vidal", "es"),
    "risk_analyst": ("demo_risk", "Rita", "Holm", "en"),
    "operator": ("demo_operator", "Omar", "Nadal", "en"),
    "auditor": ("demo_auditor", "Aude", "Lambert", "en"),
}
# fmt: off
FIRST_NAMES: Final = [
    "Lucía", "Hugo", "Martina", "Mateo", "Sofía", "Leo", "Julia", "Daniel", "Paula", "Pablo",
    "Valeria", "Álvaro", "Emma", "Adrián", "Daniela", "David", "Carla", "Mario", "Alba",
    "Diego", "Noa", "Javier", "Vera", "Marcos", "Elena", "Bruno", "Aitana", "Manuel", "Irene",
    "Nicolás", "Chloé", "Louis", "Jade", "Hanna", "Finn", "Greta", "Jonas", "Giulia", "Lorenzo",
    "Inês", "Tomás", "Maya", "Oliver", "Amina",
]
LAST_NAMES: Final = [
    "García", "Fernández", "López", "Martínez", "Sánchez", "Pérez", "Gómez", "Ruiz", "Díaz",
    "Moreno", "Muñoz", "Romero", "Alonso", "Navarro", "Torres", "Domínguez", "Vázquez", "Ramos",
    "Gil", "Serrano", "Blanco", "Molina", "Castro", "Ortega", "Rubio", "Sanz", "Iglesias",
    "Nuñez", "Dubois", "Moreau", "Schmidt", "Weber", "Rossi", "Conti", "Silva", "Costa",
    "Brown", "Walker", "Haddad",
]
# fmt: on
# Most members are neighbours; the rest came by word of mouth.
COUNTRIES: Final = ["ES"] * 12 + ["FR", "FR", "PT", "DE", "IT", "GB", "MX", "AR"]


def seed(world: DemoWorld) -> None:
    """Create staff and members; the same world gives the same people."""
    # One hash for all: hashing hundreds of passwords would take minutes, and it is published.
    password = make_password(PASSWORD)
    for role, person in STAFF.items():
        world.staff[role] = _staff(world, role, person, password)
    User.objects.bulk_create(_members(world, password))
    world.members += User.objects.demo().filter(is_staff=False).order_by("pk")


def purge_queryset_list() -> list[tuple[str, QuerySet[Any]]]:
    """Return what demo accounts asked for, and each demo account; other demo rows hang on these."""
    return [
        ("requests for a second person", ApprovalRequest.objects.filter(asked_by__is_demo=True)),
        ("users", User.objects.demo()),
    ]


def logins() -> list[tuple[str, str]]:
    """Name and role of the demo staff that exist, in the order they were made."""
    roles = {person[0]: role for role, person in STAFF.items()}
    names = User.objects.demo().filter(is_staff=True, is_active=True).order_by("pk")
    return [
        (name, roles[name]) for name in names.values_list("username", flat=True) if name in roles
    ]


def _staff(world: DemoWorld, role: str, person: tuple[str, str, str, str], password: str) -> User:
    username, first_name, last_name, language = person
    user = User.objects.create(
        username=username,
        password=password,
        email=f"{username}@example.test",
        first_name=first_name,
        last_name=last_name,
        language=language,
        country="ES",
        is_staff=True,
        is_superuser=role == "admin",
        is_demo=True,
        date_joined=world.now - timedelta(days=500),
        verified_at=world.now - timedelta(days=500),
    )
    if role != "admin":
        user.groups.add(Group.objects.get(name=role))
    return user


def _members(world: DemoWorld, password: str) -> list[User]:
    rng = world.rng
    # Growing as a marketplace grows: few a year ago, many of late.
    ages = sorted((int(400 * rng.random() ** 2) for _ in range(MEMBERS)), reverse=True)
    members = []
    for number, age in enumerate(ages, start=1):
        first_name, last_name = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        joined = world.now - timedelta(days=age, minutes=rng.randrange(1440))
        is_verified = age > 7 and rng.random() < 0.55
        country = rng.choice(COUNTRIES)
        members.append(
            User(
                username=f"demo_member_{number:03d}",
                password=password,
                email=f"demo_member_{number:03d}@example.test",
                first_name=first_name,
                last_name=last_name,
                external_id=f"demo-{number:05d}",
                country=country,
                language="es" if country in {"ES", "MX", "AR"} else "en",
                is_demo=True,
                date_joined=joined,
                verified_at=joined + timedelta(days=rng.randint(1, 6)) if is_verified else None,
            )
        )
    return members
