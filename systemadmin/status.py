"""What the base app tells the status page."""

from typing import Any

from django.conf import settings

from systemadmin.foundation.sockets import StatusCheck
from systemadmin.services.demo import has_demo_rows


def demo() -> dict[str, Any]:
    """Demo data where it does not belong is a warning; so is demo mode beside real accounts."""
    has_rows = has_demo_rows()
    misplaced = has_rows and not settings.DEMO_MODE
    return {
        "status": "warning" if misplaced else "ok",
        "demo_mode": settings.DEMO_MODE,
        "demo_rows": has_rows,
    }


CHECKS = [StatusCheck(name="demo", run=demo)]
