"""The team's own account: the other side of system messages and broadcasts."""

from __future__ import annotations

from systemadmin.models import User

TEAM_USERNAME = "atalaya-team"


def team_user() -> User:
    """Return the account that speaks for the team; nobody can sign in with it."""
    user = User.objects.filter(username=TEAM_USERNAME).first()
    if user is None:
        user, _created = User.objects.get_or_create(
            username=TEAM_USERNAME,
            defaults={"first_name": "Atalaya", "is_active": False, "password": "!"},
        )
    return user


def is_team(user: User) -> bool:
    """Return True for the team's own account."""
    return user.username == TEAM_USERNAME
