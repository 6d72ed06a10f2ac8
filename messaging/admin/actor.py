"""Who is at the admin's keyboard."""

from typing import cast

from django.http import HttpRequest

from systemadmin.models import User


def actor_of(request: HttpRequest) -> User:
    """The signed-in member of staff; the admin lets nobody else in."""
    return cast(User, request.user)
