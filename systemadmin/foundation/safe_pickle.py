"""Pickles that hold data only: what the database or the cache gives back can run nothing.

django-q2 and Django's caches store pickles. A pickle may name any function, which is called when
it is read, so whoever can write to such a table could run code. This reader knows numbers, texts,
collections and moments, and refuses everything else.
"""

import io
import logging
import pickle
from typing import Any, Final

logger = logging.getLogger("atalaya.queue")

_NAMES: Final = {
    ("datetime", "datetime"),
    ("datetime", "date"),
    ("datetime", "timezone"),
    ("datetime", "timedelta"),
}
PROTOCOL: Final = 5


class NotPlain(pickle.UnpicklingError):
    """The bytes are no pickle, or one that holds more than data."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _NAMES:
            raise NotPlain(f"{module_name}.{global_name}"[:200])
        return super().find_class(module_name, global_name)


def load_plain(data: bytes) -> Any:
    """Return the value; raises `NotPlain` for anything but data."""
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except NotPlain:
        raise
    except Exception as error:  # broken bytes raise nearly anything
        raise NotPlain(f"{type(error).__name__}: {error}"[:200]) from error


class PlainSerializer:
    """The reader for `signing.loads` and the like, which want a class."""

    dumps = staticmethod(lambda value: pickle.dumps(value, PROTOCOL))
    loads = staticmethod(load_plain)


class PlainRedisSerializer:
    """For Django's Redis cache; a value that is more than data counts as missing."""

    def dumps(self, value: Any) -> bytes | int:
        """Return the pickle; whole numbers stay as they are, so that Redis can count with them."""
        return value if type(value) is int else pickle.dumps(value, PROTOCOL)

    def loads(self, data: bytes) -> Any:
        """Return the value, or None."""
        try:
            return int(data)
        except ValueError:
            return load_plain_or_none(data)


def load_plain_or_none(data: bytes) -> Any:
    """Return the value; None, with an error in the log, for anything but data."""
    try:
        return load_plain(data)
    except NotPlain as error:
        logger.error("a stored value is not plain data", extra={"reason": str(error)})
        return None
