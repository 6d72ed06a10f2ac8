"""Half an hour of mixed traffic while parts are killed; then everything is counted.

    python bench/soak.py --locust /path/to/locust [--minutes 30] [--users 40]

PostgreSQL, Redis, two web processes and three workers of its own are started under a temporary
directory; nothing else on the machine is touched. locust 2.47.0 lives in an environment of its
own. Exit code 1 when something did not hold: see `judge`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib import request

from processes import free_port
from soak_judgement import EVENTS_A_CALL, judge
from soak_parts import ROOT, Fleet, House, Part, Postgres, Redis, web, worker

MEMBERS, PRODUCTS, NEIGHBOURS = 600, 20, 6
TIERS = ("risky", "new", "standard", "trusted")
# What the accounts did before, so that the log grows by a part and does not begin with the run.
PAST_EVENTS, PAST_DAYS = 60_000, 60
# After a part is back, callers may still meet what its absence left behind.
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Fault:
    """Something that happens to the house, and when it is over."""

    at: float  # share of the run
    name: str
    strike: Callable[[House], None]
    mend: Callable[[House], None] | None = None
    after: float = 0.0  # seconds until it is mended
    # Whether callers may notice: a worker's death is nobody's business but the queue's.
    may_be_noticed: bool = True


WORKERS = ("worker-1", "worker-2", "worker-long")
FAULTS = (
    Fault(0.08, "a worker is killed", lambda h: h.kill("worker-1"), may_be_noticed=False),
    Fault(0.18, "Redis is away", lambda h: h.redis.kill(), lambda h: h.redis.start(), 20),
    Fault(
        0.32,
        "PostgreSQL loses power",
        lambda h: h.postgres.kill(),
        lambda h: h.postgres.start(),
        10,
    ),
    Fault(0.46, "a web process is killed", lambda h: h.kill("web-1")),
    Fault(0.56, "all workers are killed", lambda h: h.kill(*WORKERS), may_be_noticed=False),
    Fault(
        0.64,
        "PostgreSQL and Redis are away",
        lambda h: (h.redis.kill(), h.postgres.kill()),
        lambda h: (h.postgres.start(), h.redis.start()),
        15,
    ),
    Fault(
        0.76,
        "the worker of a running backup is killed",
        lambda h: strike_the_backup(h),
        may_be_noticed=False,
    ),
)


def strike_the_backup(house: House) -> None:
    world = json.loads((house.place / "world.json").read_text())
    call = request.Request(
        f"{house.hosts[0]}/api/admin/backup",
        data=b"{}",
        method="POST",
        headers={
            "Authorization": f"Bearer {world['staff'][0]['token']}",
            "Content-Type": "application/json",
        },
    )
    with request.urlopen(call, timeout=30) as response:
        assert response.status == 202
    time.sleep(1.5)
    house.kill("worker-long")


# -- before --------------------------------------------------------------------


def build(place: Path) -> House:
    """Databases, tables, people and things to buy."""
    postgres, redis = Postgres(place), Redis()
    ports = [free_port(), free_port()]
    (place / "var").mkdir()
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_DEBUG": "0",
        "DJANGO_SECRET_KEY": "of-this-soak-alone-" * 4,
        "BACKUP_PASSPHRASE": "of this soak alone, and long enough",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "PUBLIC_URL": "http://127.0.0.1",
        "DJANGO_TLS": "0",
        "REQUIRE_STAFF_2FA": "0",
        "VAR_DIR": str(place / "var"),
        "LOG_DIR": "",
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
    }
    house = House(place, postgres, redis, variables, [f"http://127.0.0.1:{p}" for p in ports])
    house.manage("migrate", "--verbosity", "0")
    house.manage("setup")
    os.environ.update(variables)
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    world = {"hosts": house.hosts, "events_a_call": EVENTS_A_CALL, **people_and_products()}
    (place / "world.json").write_text(json.dumps(world))
    parts: list[Part] = [web(f"web-{n}", port, variables) for n, port in enumerate(ports, 1)]
    parts += [worker(name, "default", variables) for name in WORKERS[:2]]
    parts.append(worker(WORKERS[2], "long", variables))
    house.fleet = Fleet(parts, place)
    house.fleet.start()
    for host in house.hosts:
        wait_until_ready(host)
    return house


def lift_limits() -> None:
    """Set the rates and quotas so high that none of the callers meets one."""
    from systemadmin.services import change_settings

    change_settings(
        actor=None,
        values={
            "ratelimit.read": "1000000/m",
            "ratelimit.write": "1000000/m",
            "ratelimit.orders.create": "1000000/m",
            "ratelimit.tickets.open": "1000000/m",
            "blocking.flood_per_minute": 1_000_000,
            **{f"messaging.quota_{tier}": ["100000/60"] for tier in TIERS},
            # Nobody's account is a week of a bot's work here.
            "marketplace.high_risk_score": 100,
        },
    )


def people_and_products() -> dict[str, list]:
    from datetime import timedelta

    from django.contrib.auth.models import Permission
    from django.utils import timezone

    from marketplace.tests import factories
    from systemadmin.models import ApiToken, User

    lift_limits()
    long_ago = timezone.now() - timedelta(days=400)

    def person(name: str, **fields: object) -> User:
        return User.objects.create_user(
            username=name, date_joined=long_ago, verified_at=long_ago, **fields
        )

    def known(user: User, **more: object) -> dict:
        return {"id": user.pk, "token": ApiToken.objects.create(user=user)[1], **more}

    members = [person(f"soak-member-{number}") for number in range(MEMBERS)]
    service = person("soak-service")
    service.user_permissions.add(Permission.objects.get(codename="ingest_events"))
    chiefs = [
        person(f"soak-staff-{number}", is_staff=True, is_superuser=True) for number in range(3)
    ]
    shelf = factories.category("Soak")
    factories.rule(name="Ten percent", percent_bp=1000)
    products = [
        factories.approved(
            seller, title=f"Lamp {number}", category=shelf, price=20_00 + number, stock=1_000_000
        )
        for number, seller in enumerate(members[:PRODUCTS])
    ]
    record_the_past(members)
    near = range(1, NEIGHBOURS + 1)
    return {
        "members": [
            known(user, neighbours=[members[(place + step) % MEMBERS].pk for step in near])
            for place, user in enumerate(members)
        ],
        "staff": [known(user) for user in chiefs],
        "services": [known(service)],
        "products": [{"id": one.pk, "seller": one.seller_id} for one in products],
    }


def record_the_past(members: list) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from riskops.services import EventInput, record_events

    rng, now = random.Random(1), timezone.now()
    for start in range(0, PAST_EVENTS, 1_000):
        rows = [
            EventInput(
                kind="login_ok",
                account_id=rng.choice(members).pk,
                occurred_at=now - timedelta(seconds=rng.randrange(60, PAST_DAYS * 86_400)),
                external_id=f"past-{start + number}",
                ip=f"203.0.113.{rng.randrange(1, 200)}",
                device=f"device-{rng.randrange(150)}",
            )
            for number in range(1_000)
        ]
        record_events(rows, source="past")


def wait_until_ready(host: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError), request.urlopen(f"{host}/api/health/ready", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise TimeoutError(f"{host} is not ready")


# -- during --------------------------------------------------------------------


def traffic(house: House, locust: str, users: int, seconds: float) -> subprocess.Popen:
    with (house.place / "locust.log").open("wb") as log:
        return subprocess.Popen(
            [
                *(
                    locust,
                    "--headless",
                    "--only-summary",
                    "-f",
                    str(ROOT / "bench/soak_traffic.py"),
                ),
                *("--users", str(users), "--spawn-rate", "5", "--run-time", f"{int(seconds)}s"),
                *("--stop-timeout", "150", "--exit-code-on-error", "0"),
            ],
            env={**os.environ, "SOAK_WORLD": str(house.place / "world.json")},
            stdout=log,
            stderr=log,
        )


def strike(house: House, seconds: float) -> None:
    """Each fault at its time; its window lasts until a while after it is mended."""
    began = time.monotonic()
    for fault in FAULTS:
        time.sleep(max(0.0, began + fault.at * seconds - time.monotonic()))
        struck = time.time()
        print(f"{time.monotonic() - began:7.0f} s  {fault.name}", flush=True)
        fault.strike(house)
        time.sleep(fault.after)
        if fault.mend:
            fault.mend(house)
        window = (struck - 0.5, time.time() + GRACE_SECONDS, fault.name, fault.may_be_noticed)
        house.windows.append(window)


def main() -> None:
    """Build, load, strike, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--locust", default=shutil.which("locust"), help="the program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--users", type=int, default=40)
    options = parser.parse_args()
    if not options.locust:
        parser.error("give the path of locust 2.47.0 with --locust")
    place = Path(tempfile.mkdtemp(prefix="soak-"))
    house = build(place)
    print(f"two web processes, three workers, {options.users} callers; logs in {place}", flush=True)
    faults: list[str] = []
    try:
        seconds = options.minutes * 60
        callers = traffic(house, options.locust, options.users, seconds)
        striker = threading.Thread(target=strike, args=(house, seconds))
        striker.start()
        callers.wait()
        striker.join()
        for host in house.hosts:
            wait_until_ready(host)
        assert house.fleet is not None
        print(f"{house.fleet.restarts} parts were started again, by nobody's hand")
        faults = judge(house)
    finally:
        if house.fleet:
            house.fleet.stop()
        house.redis.kill()
        house.postgres.kill()
    print("\n".join(["", *faults] if faults else ["", "everything held"]))
    if not faults:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
