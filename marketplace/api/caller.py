"""Who is calling."""

from typing import Any

from rest_framework.request import Request


def caller(request: Request) -> Any:
    """The signed-in account; access was checked before the action runs."""
    return request.user
