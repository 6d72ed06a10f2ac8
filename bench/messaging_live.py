"""The messaging benchmarks with processes: idle streams, and a broadcast under kills."""

import asyncio
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import time

import psutil
from messaging_rows import ROOT, raw, show
from processes import free_port, granian, wait_for_port

from messaging import services
from messaging.models import Broadcast
from systemadmin.models import ApiToken, User

# -- streams -------------------------------------------------------------------------------


@contextlib.contextmanager
def asgi_server():
    port = free_port()
    environment = {**os.environ, "DATABASE_PERSISTENT": "0"}
    process = subprocess.Popen(
        granian("asgi", port, "--no-access-log", "--backlog", "4096", "config.asgi:application"),
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        # Its memory is taken as the start: what it loads on its way up belongs to that.
        time.sleep(2)
        yield port, process
    finally:
        # Its own child serves the streams and would outlive a killed parent.
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in family:
            child.kill()
        process.wait(20)


def memory_of(process):
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    biggest = max(family, key=lambda p: p.memory_info().rss)
    return biggest.memory_info().rss / 2**20, biggest.num_threads()


async def open_stream(port, secret, arrivals, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/messages/stream HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {secret}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    opened = asyncio.Event()

    async def read():
        is_message = False
        async for line in reader:
            if line.startswith(b"event: ready"):
                opened.set()
            elif line.startswith(b"event: message"):
                is_message = True
            elif is_message and line.startswith(b"data: "):
                body = json.loads(line[6:])["message"]["body"]
                arrivals.append((int(body.rsplit(" ", 1)[1]), time.perf_counter()))
                is_message = False

    task = asyncio.create_task(read())
    await asyncio.wait_for(opened.wait(), 60)
    return task, writer


async def hold_streams(count, port, process, people, sends):
    before, threads = memory_of(process)
    print(f"{count} idle streams in one process")
    print(f"  before: {before:.0f} MB, {threads} threads")
    arrivals, held = [], []
    began = time.perf_counter()
    for start in range(0, count, 25):
        group = people[start : start + 25]
        held += await asyncio.gather(
            *(open_stream(port, secret, arrivals, n) for n, (_id, secret) in enumerate(group))
        )
    opened = time.perf_counter() - began
    await asyncio.sleep(3)
    after, threads = memory_of(process)
    each = (after - before) * 1024 / count
    print(
        f"  open after {opened:.1f} s: {after:.0f} MB (+{each:.0f} kB a stream), {threads} threads"
    )
    loop = asyncio.get_running_loop()
    print(f"  database connections: {await loop.run_in_executor(None, raw_connections)}")
    rng = random.Random(3)
    writers = [user_id for user_id, _secret in people]
    committed = {}
    for number in range(sends):
        a, b = rng.sample(writers, 2)
        await loop.run_in_executor(None, send, a, b, number)
        committed[number] = time.perf_counter()
        await asyncio.sleep(0.01)
    await asyncio.sleep(3)
    # Both sides have a stream, so each message arrives twice.
    print(f"  {len(arrivals)} of {sends * 2} deliveries arrived")
    delays = [max(0.0, at - committed[number]) * 1000 for number, at in arrivals]
    show("from the commit to the client", delays)
    for task, writer in held:
        task.cancel()
        writer.close()


def raw_connections():
    return raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")[0][0]


def send(sender_id, recipient_id, number):
    services.send_message(
        actor=User.objects.get(pk=sender_id),
        recipient=services.recipient_of(recipient_id),
        body=f"mensaje {number}",
    )


def measure_streams(count, sends):
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    ids = User.objects.filter(username__startswith="bench-").order_by("-pk")
    people = []
    for user_id in ids.values_list("pk", flat=True)[:count]:
        _token, secret = ApiToken.objects.create(user=User.objects.get(pk=user_id))
        people.append((user_id, secret))
    with asgi_server() as (port, process):
        asyncio.run(hold_streams(count, port, process, people, sends))


# -- a broadcast whose workers are killed ------------------------------------------------------


def measure_broadcast():
    """Two workers at a time, each killed after a second or two, until everybody has it."""
    operator = User.objects.get_or_create(username="bench-operator", is_staff=True)[0]
    broadcast = services.create_broadcast(
        actor=operator, kind="information", title="Novedades", body="Hemos mejorado la búsqueda."
    )
    unread_before = raw("SELECT sum(unread_count) FROM messaging_mailbox")[0][0] or 0
    services.send_broadcast(actor=operator, broadcast=broadcast)
    broadcast.refresh_from_db()
    print(f"a broadcast to {broadcast.recipient_count:,} members, workers killed in between")
    rng, killed, began = random.Random(5), 0, time.perf_counter()
    workers = [worker(broadcast.pk) for _ in range(2)]
    while Broadcast.objects.get(pk=broadcast.pk).status == "sending":
        time.sleep(rng.uniform(2.0, 5.0))
        victim = rng.randrange(2)
        killed += workers[victim].poll() is None
        workers[victim].kill()
        workers[victim].wait()
        workers[victim] = worker(broadcast.pk)
    for process in workers:
        process.wait()
    took = time.perf_counter() - began
    each = raw(
        "SELECT count(*), count(DISTINCT conversation_id) FROM messaging_message"
        " WHERE broadcast_id = %(pk)s",
        pk=broadcast.pk,
    )[0]
    gained = raw("SELECT sum(unread_count) FROM messaging_mailbox")[0][0] - unread_before
    print(f"  {killed} workers killed; {each[0]:,} messages to {each[1]:,} members in {took:.0f} s")
    print(f"  unread totals grew by {gained:,}")
    assert each == (broadcast.recipient_count,) * 2, "each member exactly once"
    assert gained == broadcast.recipient_count
    began = time.perf_counter()
    numbers = services.read_statistics(broadcast)
    print(f"  read statistics {numbers} in {(time.perf_counter() - began) * 1000:.0f} ms")


def worker(pk):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "deliver_broadcast", str(pk)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
