"""What open pages of the admin cost while nothing happens: processor and memory of the process.

    DATABASE_URL=postgres://… python bench/live_pages.py --pages 1000 --seconds 60

Starts one stream process as docs/operations.md does, opens as many event streams as `--pages` says,
all of one agent, waits, and reads what the process used meanwhile. Leave out DATABASE_URL for
SQLite.
"""

import argparse
import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_SECRET_KEY", secrets.token_urlsafe(64))
os.environ.setdefault("BACKUP_PASSPHRASE", secrets.token_urlsafe(32))
os.environ.setdefault("PUBLIC_URL", "http://127.0.0.1")
os.environ.setdefault("DJANGO_TLS", "0")
os.environ.setdefault("REQUIRE_STAFF_2FA", "0")
os.environ.setdefault("DJANGO_ALLOWED_HOSTS", "127.0.0.1")


def cookie() -> str:
    """Sign in a superuser made for this; return the cookie."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    from systemadmin.models import User, UserSession

    call_command("migrate", verbosity=0)
    user, _made = User.objects.get_or_create(
        username="bench_live", defaults={"is_staff": True, "is_superuser": True}
    )
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "systemadmin.backends.AccountBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    UserSession.objects.create(user=user, session_key=session.session_key)
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def processes(leader: int) -> list[int]:
    """Return the processes of a group."""
    return [
        int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _group(p) == leader
    ]


def _group(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[2])
    except (OSError, IndexError):
        return 0


def used(leader: int) -> tuple[float, float]:
    """Return the seconds of processor and the megabytes of a group of processes."""
    tick, seconds, megabytes = os.sysconf("SC_CLK_TCK"), 0.0, 0.0
    for pid in processes(leader):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / tick
        megabytes += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return seconds, megabytes


async def open_page(port: int, header: str, gate: asyncio.Semaphore) -> asyncio.StreamWriter:
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET /admin/live/?topics=tickets,work HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {header}\r\n\r\n".encode()
        )
        text = await reader.readuntil(b"event: ready")
        assert b" 200 " in text.splitlines()[0], text
        return writer


async def measure(port: int, leader: int, header: str, pages: int, seconds: int) -> None:
    _before, empty = used(leader)
    gate = asyncio.Semaphore(20)
    began = time.monotonic()
    writers = await asyncio.gather(*(open_page(port, header, gate) for _ in range(pages)))
    print(f"{pages} pages opened in {time.monotonic() - began:.1f} s")
    await asyncio.sleep(2)
    before, _full = used(leader)
    await asyncio.sleep(seconds)
    after, full = used(leader)
    print(
        f"idle for {seconds} s: {(after - before) / seconds:.2%} of a processor, "
        f"{(after - before) / seconds / pages * 1e6:.0f} µs per page and second; "
        f"{empty:.0f} MB before, {full:.0f} MB with the pages, "
        f"{(full - empty) / pages * 1000:.0f} kB per page"
    )
    for writer in writers:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    header = cookie()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--workers", "1"]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "config.asgi:application"],
        cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        asyncio.run(measure(port, server.pid, header, options.pages, options.seconds))
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


if __name__ == "__main__":
    main()
