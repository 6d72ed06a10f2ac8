"""Settings of the queue for django-q2."""

from typing import Any

from django.utils.translation import gettext_lazy as _


def queue_settings(*, workers: int) -> dict[str, Any]:
    """Return the settings of both clusters, the usual one with so many workers."""
    return {
        "name": "default",
        "label": _("Queue"),
        "broker_class": "systemadmin.foundation.queue.PausableBroker",
        # No cache of this name: workers keep their state in the database and need no Redis.
        "cache": "none",
        "orm": "default",  # the database loses nothing; Redis loses what a killed worker took
        "workers": workers,
        "timeout": 300,
        # What a dead worker held comes back within a minute through its lease; this is the last
        # resort. Counted from the moment a task is taken, so it must exceed
        # timeout x (1 + queue_limit / workers), or a waiting task runs twice.
        "retry": 3700,
        "max_attempts": 3,
        "bulk": 1,
        "queue_limit": 3,
        "save_limit": 0,
        "catch_up": False,
        "recycle": 200,
        "poll": 1,
        "ack_failures": True,
        # Its own scheduler calls whatever a row names; ours (foundation/scheduler.py) starts what
        # the code declares.
        "scheduler": False,
        "ALT_CLUSTERS": {
            "long": {
                "workers": 1,
                "timeout": 7200,
                "retry": 40000,
                "max_attempts": 1,
                "recycle": 20,
            }
        },
    }
