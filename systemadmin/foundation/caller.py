"""Who is calling, for API and admin alike."""

from typing import Any


def caller(request: Any) -> Any:
    """Return the signed-in account; access was checked before anything asks for it."""
    return request.user
