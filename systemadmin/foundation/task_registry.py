"""Which functions the queue may run: the public functions of the apps' `tasks.py`, no others.

Rows of the queue and of the schedules lie in the database, and whoever can write there could name
any function. So a name from a row is only ever looked up here, never imported.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from systemadmin.foundation.plugins import modules

Task = Callable[..., Any]
_SCALARS: Final[Mapping[Any, tuple[type, ...]]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    NoneType: (NoneType,),
}


class RefusedTask(Exception):
    """The queue does not run this; the text says why."""


@cache
def registered_tasks() -> dict[str, Task]:
    """Return every function that may be queued, by its dotted name."""
    return {
        f"{module.__name__}.{name}": function
        for module in modules("tasks")
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


def task_named(path: Any) -> Task:
    """Return the registered function; raises `RefusedTask`."""
    found = registered_tasks().get(path) if isinstance(path, str) else None
    if found is None:
        raise RefusedTask(f"not a registered task: {path!r}"[:300])
    return found


def checked(path: Any, args: Sequence[Any]) -> Task:
    """Return the registered function if the arguments fit it; raises `RefusedTask`."""
    task = task_named(path)
    try:
        bound = inspect.signature(task).bind(*args)
    except TypeError as error:
        raise RefusedTask(f"{path}: {error}"[:300]) from error
    hints = get_type_hints(task)
    for name, value in bound.arguments.items():
        if not fits(value, hints.get(name)):
            raise RefusedTask(f"{path}: {name} is of type {type(value).__name__}"[:300])
    return task


def fits(value: Any, hint: Any) -> bool:
    """Return True when a JSON-able value is of the annotated type; False for forbidden types."""
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, one) for one in get_args(hint))
    allowed = _SCALARS.get(hint)
    if allowed is None:
        return False
    return isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
