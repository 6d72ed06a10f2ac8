"""Demo tickets of the last weeks: asked, answered, late, resolved, rated."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from support.models import (
    BusinessCalendar,
    Category,
    Faq,
    InboundReference,
    Reply,
    ReplyTemplate,
    SlaBreach,
    SlaPolicy,
    SlaPolicyVersion,
    Ticket,
    TicketEvent,
    TicketRating,
)
from support.services import (
    open_ticket,
    rate_ticket,
    reply_as_customer,
    reply_as_staff,
    save_calendar,
    save_faq,
    save_policy,
    save_template,
)
from support.services.tickets import finish, lock_ticket
from systemadmin.foundation.plugins import DemoWorld

PREFIX = "demo-"
# Configuration: what a real ticket uses stays when the demo is removed.
SHARED = [BusinessCalendar, Category, Faq, ReplyTemplate, SlaPolicy, SlaPolicyVersion]
TICKETS = 40
CATEGORIES = {
    "orders": ("Orders", "Pedidos"),
    "payments": ("Payments", "Pagos"),
    "account": ("Account", "Cuenta"),
}
# category, subject, what they say, what we answer
STORIES = [
    (
        "orders",
        "No ha llegado mi pedido",
        "Hace una semana que espero el paquete y el vendedor no contesta.",
        "Hemos preguntado a la empresa de transporte; **mañana** te decimos algo.",
    ),
    (
        "payments",
        "Me han cobrado dos veces",
        "En el banco aparecen dos cargos del mismo importe.",
        "Uno de los cargos es una retención y desaparece en tres días.",
    ),
    (
        "account",
        "No puedo entrar",
        "He cambiado de teléfono y no recibo el código.",
        "Hemos quitado el segundo factor antiguo. Entra y añade otro:\n\n1. Ajustes\n2. Seguridad",
    ),
    (
        "orders",
        "The item is not as described",
        "The photos show a different colour. Can I return it?",
        "Of course. Open a dispute from the order page and attach a photo.",
    ),
    (
        "account",
        "Change my user name",
        "I would like another name on my profile.",
        "Done. It may take a few minutes to show everywhere.",
    ),
]
TEMPLATES = [
    ("received", "es", "Lo estamos mirando", "Hola {{user.first_name|qué tal}}: hemos recibido "
     "**{{ticket.number}}** y lo estamos mirando.\n\n{{agent.first_name|El equipo}}"),
    ("received", "en", "We are on it", "Hello {{user.first_name|there}}: we have received "
     "**{{ticket.number}}** and are looking into it.\n\n{{agent.first_name|The team}}"),
    ("solved", "es", "Resuelto", "Hola {{user.first_name|qué tal}}: creemos que ya está "
     "resuelto. Si no es así, responde a este mensaje."),
    ("solved", "en", "Solved", "Hello {{user.first_name|there}}: we think this is solved. "
     "If it is not, just answer this message."),
]  # fmt: skip
FAQS = [
    ("orders", "es", "¿Cuánto tarda un envío?", "Normalmente **dos o tres días** laborables."),
    ("orders", "en", "How long does delivery take?", "Usually **two or three** working days."),
    ("payments", "es", "¿Cuándo cobro mi venta?", "Al confirmar el comprador la entrega."),
    ("payments", "en", "When am I paid for a sale?", "When the buyer confirms the delivery."),
]


def seed(world: DemoWorld) -> None:
    """Set a small desk up and let it work for three weeks."""
    categories = _categories()
    _policies()
    agent = world.staff["support_agent"]
    for code, language, title, body in TEMPLATES:
        save_template(
            actor=agent,
            values={"code": PREFIX + code, "language": language, "title": title, "body": body},
        )
    for position, (category, language, question, answer) in enumerate(FAQS):
        save_faq(
            actor=agent,
            values={
                "category": categories[category],
                "language": language,
                "question": question,
                "answer": answer,
                "position": position,
                "is_published": True,
            },
        )
    for _index in range(TICKETS):
        _ticket(world, categories)


def _categories() -> dict[str, Category]:
    return {
        code: Category.objects.create(
            code=PREFIX + code, name=name, name_es=name_es, position=position
        )
        for position, (code, (name, name_es)) in enumerate(CATEGORIES.items())
    }


def _policies() -> None:
    day = [["09:00", "14:00"], ["15:00", "18:00"]]
    office = save_calendar(
        actor=None,
        values={
            "name": f"{PREFIX}office",
            "timezone": "Europe/Madrid",
            "windows": {str(weekday): day for weekday in range(5)},
            "holidays": [],
        },
    )
    always = save_calendar(actor=None, values={"name": f"{PREFIX}always"})
    for name, priority, calendar, minutes in (
        (f"{PREFIX}urgent", "urgent", always, (30, 60, 480)),
        (f"{PREFIX}standard", "", office, (240, 240, 1440)),
    ):
        first, following, resolution = minutes
        save_policy(
            actor=None,
            values={
                "name": name,
                "position": 1 if priority else 2,
                "priority": priority,
                "calendar": calendar,
                "first_response_minutes": first,
                "next_response_minutes": following,
                "resolution_minutes": resolution,
            },
        )


@transaction.atomic
def _ticket(world: DemoWorld, categories: dict[str, Category]) -> None:
    rng, agent = world.rng, world.staff["support_agent"]
    category, subject, words, answer = rng.choice(STORIES)
    member = rng.choice(world.members)
    ticket = open_ticket(
        actor=member,
        requester=member,
        subject=subject,
        body=words,
        category=categories[category],
        priority=rng.choices(["low", "medium", "high", "urgent"], [2, 5, 2, 1])[0],
        acknowledge=False,
    )
    ending = rng.choices(["new", "waiting", "asked", "resolved", "rated"], [3, 3, 2, 4, 5])[0]
    if ending != "new":
        _pass(ticket, minutes=rng.randint(5, 600))
        if rng.random() < 0.3:
            reply_as_staff(actor=agent, ticket=ticket, body="Lo pregunto en pagos.", internal=True)
        reply_as_staff(actor=agent, ticket=ticket, body=answer)
    if ending in ("asked", "resolved", "rated"):
        _pass(ticket, minutes=rng.randint(30, 1500))
        reply_as_customer(ticket=ticket, author=member, body="¡Gracias! ¿Y cuándo será?")
    if ending in ("resolved", "rated"):
        _pass(ticket, minutes=rng.randint(5, 300))
        reply_as_staff(actor=agent, ticket=ticket, body="Ya está hecho.", status="resolved")
    if ending == "rated":
        rate_ticket(user=member, ticket=ticket, score=rng.choice([3, 4, 5, 5]), comment="")
    if ending in ("resolved", "rated"):
        _pass(ticket, minutes=rng.randint(60, 28_000))
    else:
        _pass(ticket, minutes=rng.randint(5, 400))
    locked = lock_ticket(ticket)
    finish(locked, now=timezone.now())


def _pass(ticket: Ticket, *, minutes: int) -> None:
    """Let time pass: everything so far moves into the past."""
    past = timedelta(minutes=minutes)

    def earlier(rows: Any, *names: str) -> None:
        rows.update(**{name: F(name) - past for name in names})

    earlier(TicketEvent.objects.filter(ticket=ticket), "at")
    earlier(Reply.objects.filter(ticket=ticket), "said_at", "created_at")
    earlier(SlaBreach.objects.filter(ticket=ticket), "due_at", "detected_at")
    earlier(TicketRating.objects.filter(ticket=ticket), "rated_at")
    earlier(
        Ticket.objects.filter(pk=ticket.pk),
        "created_at",
        "resolved_at",
        "closed_at",
        "last_customer_reply_at",
        "last_staff_reply_at",
    )


def purge_queryset_list() -> list[tuple[str, QuerySet[Any]]]:
    """Return everything of demo people, then what the demo desk was set up with."""
    mine = Ticket.objects.filter(requester__is_demo=True)
    return [
        ("thread references", InboundReference.objects.filter(ticket__in=mine)),
        ("merged tickets", mine.filter(merged_into__isnull=False)),
        ("tickets", mine),
        ("questions", Faq.objects.filter(category__code__startswith=PREFIX)),
        ("reply templates", ReplyTemplate.objects.filter(code__startswith=PREFIX)),
        ("policies", SlaPolicy.objects.filter(name__startswith=PREFIX)),
        ("calendars", BusinessCalendar.objects.filter(name__startswith=PREFIX)),
        ("categories", Category.objects.filter(code__startswith=PREFIX)),
    ]
