"""The account behind a request of the admin."""

from typing import cast

from django.http import HttpRequest

from systemadmin.models import User


def agent_of(request: HttpRequest) -> User:
    """Return the account at work; the admin site lets nobody else in."""
    return cast(User, request.user)
