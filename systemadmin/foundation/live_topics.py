"""What open pages of the admin can wait for: `live.TOPICS` of each app."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Rows that tell of changes: `read()` returns the keys of the newest, each with its subject.

    It is asked more than once a second for all open pages together: one short read by an index,
    of a table that only grows. Only whoever has `permission` is told (all of staff where it is
    empty), and never which row it was.
    """

    code: str
    permission: str
    read: Callable[[], Iterable[tuple[int, int]]]
