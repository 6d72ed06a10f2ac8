"""What tests of every desk share: problems, query counts, threads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext


def problem(response: Any, status: int, code: str | None = None, field: str | None = None) -> Any:
    """Assert that `response` is a well-formed problem and return its body."""
    body = response.json()
    if response.status_code != status:
        raise AssertionError(f"expected {status}, got {response.status_code}: {body}")
    if response["Content-Type"].split(";")[0] != "application/problem+json":
        raise AssertionError(f"not a problem: {response['Content-Type']}")
    missing = {"type", "title", "status", "detail", "code", "request_id"} - set(body)
    if missing:
        raise AssertionError(f"problem lacks {sorted(missing)}")
    if code is not None and body["code"] != code:
        raise AssertionError(f"expected code {code}, got {body['code']}: {body}")
    if field is not None and field not in [error["field"] for error in body.get("errors", [])]:
        raise AssertionError(f"no error for {field}: {body}")
    return body


def assert_constant_queries(call: Callable[[], Any], grow: Callable[[], Any]) -> int:
    """Assert that `call` needs the same number of queries before and after `grow`.

    Returns the number, so that a test may pin it.
    """
    call()  # warm what is cached for the life of a process
    before = queries_of(call)
    grow()
    call()  # growing may have dropped a copy that the first call made
    after = queries_of(call)
    if len(before) != len(after):
        listing = "\n".join(query["sql"][:300] for query in after)
        raise AssertionError(f"{len(before)} queries became {len(after)}:\n{listing}")
    return len(after)


def queries_of(call: Callable[[], Any]) -> list[dict[str, str]]:
    """Return the queries of a call: of two, the one with fewer.

    A cached count that runs out between two calls adds queries that are not the page's.
    """
    runs = []
    for _run in range(2):
        with CaptureQueriesContext(connection) as captured:
            call()
        runs.append(captured.captured_queries)
    return min(runs, key=len)


# What the loop of `_slowness` takes on the machine where the bounds of the tests were chosen.
REFERENCE_SECONDS = 0.018


def _slowness() -> float:
    """Return how many times slower than the reference this machine is now; never below 1."""
    started = time.thread_time()
    sum(number * number % 7 for number in range(400_000))
    return max(1.0, (time.thread_time() - started) / REFERENCE_SECONDS)


def processor_seconds(call: Callable[[], Any]) -> float:
    """Return the processor time that `call` took in this thread, as on the reference machine."""
    started = time.thread_time()
    call()
    spent = time.thread_time() - started
    if spent < 0.2:  # the machine is measured only where it could matter
        return spent
    return spent / max(_slowness() for _measurement in range(3))


def least_processor_seconds(call: Callable[[], Any], *, below: float) -> float:
    """Return the least of up to three measurements of what may be called again.

    A busy machine disturbs one; what is too slow is so each time.
    """
    found = processor_seconds(call)
    for _again in range(2):
        if found < below:
            break
        found = min(found, processor_seconds(call))
    return found


def run_threads(function: Callable[[int], Any], count: int) -> list[Any]:
    """Run `function(i)` in `count` threads at once; return results or exceptions, in order."""
    barrier = threading.Barrier(count)
    outcomes: list[Any] = [None] * count

    def run(index: int) -> None:
        try:
            barrier.wait(timeout=30)
            outcomes[index] = function(index)
        except Exception as error:
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return outcomes


@contextmanager
def triggers_off(database: Any = connection) -> Iterator[Any]:
    """Let no trigger of the database run inside the block; yields a cursor."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            yield cursor
            cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _sql in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield cursor
        for _name, sql in triggers:
            cursor.execute(sql)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Run the block in a transaction that is undone.

    Code that asks for a transaction of its own takes it for none, like the one of a test case.
    """
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)
