"""Locks by name: one holder at a time, on both databases."""

import subprocess
import sys
import threading
import time

import pytest
from django.db import connection, transaction

from systemadmin.foundation.locks import _lock_path, advisory_key, named_lock

pytestmark = pytest.mark.django_db(transaction=True)

HOLD_FILE = """
import fcntl, sys
handle = open(sys.argv[1], "a")
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""

sqlite_only = pytest.mark.skipif("connection.vendor != 'sqlite'")
postgres_only = pytest.mark.skipif("connection.vendor != 'postgresql'")


def elsewhere(function):
    """What the function answers in another thread, with a connection of its own."""
    answers = []

    def run():
        try:
            answers.append(function())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=20)
    return answers[0]


def try_lock(name, **options):
    with named_lock(name, **options) as held:
        return held


def test_one_holder_at_a_time():
    with named_lock("a") as held:
        assert held
        assert elsewhere(lambda: try_lock("a")) is False
        assert elsewhere(lambda: try_lock("b")) is True
    assert elsewhere(lambda: try_lock("a")) is True


def test_the_holder_may_take_it_again_and_keeps_it():
    with named_lock("a"):
        with named_lock("a") as again:
            assert again
        assert elsewhere(lambda: try_lock("a")) is False


def test_waiting_ends_with_the_time_out():
    with named_lock("a"):
        started = time.monotonic()
        assert elsewhere(lambda: try_lock("a", wait=True, timeout=0.2)) is False
        assert 0.2 <= time.monotonic() - started < 5


def test_waiting_ends_when_the_lock_is_free():
    got = []
    with named_lock("a"):
        thread = threading.Thread(target=lambda: got.append(try_lock("a", wait=True)))
        thread.start()
        time.sleep(0.15)
        assert not got
    thread.join(timeout=10)
    assert got == [True]


def test_an_exception_lets_go():
    with pytest.raises(RuntimeError), named_lock("a"):
        raise RuntimeError
    assert elsewhere(lambda: try_lock("a")) is True


def test_inside_a_transaction():
    with transaction.atomic(), named_lock("a") as held:
        assert held
        assert elsewhere(lambda: try_lock("a")) is False
    assert elsewhere(lambda: try_lock("a")) is True


def test_it_outlives_the_connection_of_its_thread():
    with named_lock("a"):
        connection.close()
        assert elsewhere(lambda: try_lock("a")) is False
    assert elsewhere(lambda: try_lock("a")) is True


def test_counting_under_the_lock_loses_nothing():
    total = [0]

    def add():
        for _ in range(20):
            with named_lock("count", wait=True):
                seen = total[0]
                time.sleep(0.0005)
                total[0] = seen + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert total == [80]


@sqlite_only
def test_no_file_is_left_behind():
    with named_lock("a"):
        assert _lock_path(connection, "a").exists()
    assert not _lock_path(connection, "a").exists()


@sqlite_only
def test_another_process_is_kept_out_and_its_death_lets_go():
    path = _lock_path(connection, "a")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_FILE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        assert try_lock("a") is False
    finally:
        holder.kill()
        holder.communicate()
    assert try_lock("a") is True


@postgres_only
def test_another_session_is_kept_out():
    other = connection.copy()
    other.settings_dict["OPTIONS"].pop("pool", None)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [advisory_key("a")])
        assert try_lock("a") is False
    finally:
        other.close()
    assert try_lock("a", wait=True, timeout=5) is True


@postgres_only
def test_in_a_transaction_it_is_held_until_the_commit():
    with transaction.atomic():
        with named_lock("a"):
            pass
        assert elsewhere(lambda: try_lock("a")) is False
    assert elsewhere(lambda: try_lock("a")) is True
