"""Tasks that say when they run, for tests with real workers."""

import os
import signal
import time
from pathlib import Path

from systemadmin.foundation.task_registry import registered_tasks


def hold(folder: str, name: str, seconds: int) -> None:
    """Leave a line for each start and each end."""
    file = Path(folder) / name
    with file.open("a") as lines:
        lines.write(f"start {os.getpid()}\n")
    time.sleep(seconds)
    with file.open("a") as lines:
        lines.write(f"end {os.getpid()}\n")


def kill_own_worker(folder: str) -> None:
    """Take the worker down, as one that runs out of memory does."""
    with (Path(folder) / "killer").open("a") as lines:
        lines.write("start\n")
    os.kill(os.getpid(), signal.SIGKILL)


def register() -> None:
    """Let this process queue and run them."""
    for task in (hold, kill_own_worker):
        registered_tasks()[f"{__name__}.{task.__name__}"] = task


# What `manage.py shell -c` runs in place of `manage.py qcluster`.
CLUSTER = (
    "from django.core.management import call_command; "
    "from systemadmin.tests.lease_tasks import register; register(); "
    "from systemadmin.foundation import scheduler; scheduler.tick = lambda: None; "
    "from systemadmin.services import task_leases; task_leases.BEAT_SECONDS = 1; "
    "import datetime; task_leases.MARGIN = datetime.timedelta(seconds=1); "
    "call_command('qcluster')"
)
