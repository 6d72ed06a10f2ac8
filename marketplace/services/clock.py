"""The moment that services write; the demo tells its story in the past with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

_moment: ContextVar[datetime | None] = ContextVar("marketplace_moment", default=None)


def now() -> datetime:
    """The present, unless a story is being told."""
    return _moment.get() or timezone.now()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let services write this moment."""
    token = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(token)
