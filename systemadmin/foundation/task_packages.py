"""Reading the queue's rows: a package is opened by its signature and taken only in our own form.

django-q2 signs its packages with the application's key, unpickles them and does what they say:
call any function, chain others, call hooks. Ours only ever name `run_task` with a registered task
and JSON-able arguments; anything else is refused here, before django-q2 sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.signing import BadSignature
from django_q import core_signing
from django_q.conf import Conf
from django_q.tasks import async_task

from systemadmin.foundation.safe_pickle import NotPlain, PlainSerializer
from systemadmin.foundation.task_registry import RefusedTask, checked

RUNNER: Final = "systemadmin.foundation.queue.run_task"
_KEYS: Final = {"id", "name", "func", "args", "kwargs", "started", "cluster", "ack_failure"}
DEFAULT_CLUSTER: Final = "default"
# Before the task's own: its path, the request id, the key over all attempts.
LEADING: Final = 3


@dataclass(frozen=True, slots=True)
class TaskPackage:
    """One queued task as its row says it."""

    id: str
    name: str
    path: str
    request_id: str
    key: str
    args: tuple[Any, ...]


def open_package(payload: str) -> TaskPackage:
    """Return what a row of the queue asks for; raises `RefusedTask`."""
    try:
        data = core_signing.loads(
            payload, key=Conf.SECRET_KEY, salt=Conf.PREFIX, serializer=PlainSerializer
        )
    except BadSignature as error:
        raise RefusedTask("the signature is not ours") from error
    except NotPlain as error:
        raise RefusedTask(f"the package holds more than data: {error}"[:300]) from error
    except Exception as error:  # a payload cut or edited breaks base64, zlib and the like
        raise RefusedTask(f"unreadable: {type(error).__name__}") from error
    return _understood(data)


def _understood(data: Any) -> TaskPackage:
    if not isinstance(data, dict) or not _KEYS.issuperset(data):
        extra = sorted(map(str, set(data) - _KEYS)) if isinstance(data, dict) else data
        raise RefusedTask(f"unknown options: {extra}"[:300])
    if data.get("func") != RUNNER or data.get("kwargs"):
        raise RefusedTask(f"not a registered task: {data.get('func')!r}"[:300])
    path, request_id, key, args = runner_args(data.get("args"))
    return TaskPackage(
        id=str(data.get("id", ""))[:32],
        name=str(data.get("name", ""))[:100],
        path=path,
        request_id=request_id,
        key=key,
        args=args,
    )


def runner_args(args: Any) -> tuple[str, str, str, tuple[Any, ...]]:
    """Return path, request id, key and the task's own arguments; raises `RefusedTask`."""
    if not isinstance(args, Sequence) or isinstance(args, str) or len(args) < LEADING:
        raise RefusedTask("the arguments are not those of a task")
    leading, own = args[:LEADING], tuple(args[LEADING:])
    if not all(isinstance(text, str) for text in leading):
        raise RefusedTask("the arguments are not those of a task")
    checked(leading[0], own)
    return leading[0], leading[1], leading[2], own


def push(path: str, request_id: str, key: str, args: Sequence[Any], *, cluster: str) -> str:
    """Queue one task under its caller's request id and return its id; raises `RefusedTask`.

    `key` names the task over its attempts; empty for work that the clock starts anew.
    """
    checked(path, args)
    # Always named: without a name django-q2 takes the cluster of the process that queues.
    options = {"task_name": path, "cluster": cluster}
    return async_task(RUNNER, path, request_id, key, *args, q_options=options)
