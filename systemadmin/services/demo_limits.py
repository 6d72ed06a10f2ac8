"""What demo accounts may not touch once real accounts live beside them."""

from typing import Any

from systemadmin.errors import DemoChangesShared
from systemadmin.models import User


def check_shared(actor: Any) -> None:
    """Refuse a demo account that would change what real accounts share.

    Where there are only demo accounts they may try everything out. Raises `DemoChangesShared`.
    """
    is_demo = actor is not None and getattr(actor, "is_demo", False)
    if is_demo and User.objects.filter(is_demo=False).exists():
        raise DemoChangesShared
