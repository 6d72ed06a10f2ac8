"""What has to hold after a soak: calls, promises, invariants, schedules, memory."""

from __future__ import annotations

import csv
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from soak_parts import House

EVENTS_A_CALL = 10
# Of the samples of one life, how much more the last quarter may hold than the second: a tenth, and
# the megabytes by which the same tasks differ from one hour to the next.
GROWTH, SWAY = 1.10, 8.0
# A life shorter than this says nothing about memory.
SHORT_LIFE = 240.0


def judge(house: House) -> list[str]:
    """Return what failed: errors outside the windows, promises, invariants, schedules, memory."""
    from django.db import connection

    connection.close()  # what it was connected to fell meanwhile
    faults = [*judge_calls(house), *judge_promises(house), *judge_schedules()]
    for command in (("check_integrity",), ("verify_audit",), ("check_ledger",)):
        try:
            print(f"{command[0]}: {house.manage(*command).splitlines()[-1]}")
        except RuntimeError as error:
            faults.append(str(error))
    return [*faults, *judge_memory(house)]


def judge_calls(house: House) -> list[str]:
    """Return the calls that were refused although no fault was to be noticed at the time."""
    with (house.place / "calls.csv").open() as lines:
        calls = [(float(r[0]), r[1], int(r[2]), float(r[3])) for r in csv.reader(lines)]
    times: dict[str, list[float]] = defaultdict(list)
    inside, outside = Counter[str](), Counter[str]()
    for at, name, status, took in calls:
        # 409 of an order: a colleague was quicker.
        if 200 <= status < 300 or (status == 409 and name.startswith("/api/admin/orders/")):
            times[name].append(took)
            continue
        met = house.meets_a_fault(at, at + took / 1000)
        (inside if met else outside)[f"{name} {status}"] += 1
    span = calls[-1][0] - calls[0][0]
    print(f"{len(calls):,} calls in {span / 60:.1f} minutes, {len(calls) / span:.0f} a second")
    print_times(times)
    print(f"refused inside the windows: {sum(inside.values())}; outside: {sum(outside.values())}")
    return [
        f"outside the fault windows: {what}, {number} times" for what, number in outside.items()
    ]


def print_times(times: dict[str, list[float]]) -> None:
    for name, took in sorted(times.items()):
        took.sort()
        p99 = took[int((len(took) - 1) * 0.99)]
        print(
            f"  {name:<42}{len(took):>7}  p50 {statistics.median(took):6.0f} ms  p99 {p99:6.0f} ms"
        )


def judge_promises(house: House) -> list[str]:
    """Every effect that was promised is there once, and nothing is there twice."""
    from messaging.models import Message
    from riskops.models import AccountEvent
    from support.models import Reply, Ticket

    promised = read_promises(house)

    def keys(path: str) -> list[str]:
        return [row["key"] for row in promised[path]]

    bodies = Reply.objects.filter(body__regex="[0-9a-f]{32}$")
    both = keys("/api/tickets/{id}/reply") + keys("/api/admin/tickets/{id}/reply")
    found = [
        *compare("messages", Message.objects.values_list("body", flat=True), keys("/api/messages")),
        *compare("tickets", Ticket.objects.values_list("subject", flat=True), keys("/api/tickets")),
        *compare("replies", bodies.values_list("body", flat=True), both),
        *judge_orders(promised),
    ]
    sent = len(promised["/api/events"]) * EVENTS_A_CALL
    events = AccountEvent.objects.filter(external_id__regex="^[0-9a-f]{32}-").count()
    print(f"  events: {sent:,} promised, {events:,} recorded")
    if events < sent:
        found.append(f"events: {sent - events} lost")
    return found


def read_promises(house: House) -> dict[str, list[dict]]:
    """Return what was promised, by the path of the call."""
    promised = defaultdict(list)
    for line in (house.place / "promises.jsonl").read_text().splitlines():
        row = json.loads(line)
        promised[row["path"]].append(row)
    return promised


def compare(what: str, texts: Iterable[str], keys: list[str]) -> list[str]:
    """Say which keys are in no text, and which are in two: the key ends the text."""
    there = Counter(text.rsplit(" ", 1)[-1] for text in texts)
    lost = [key for key in keys if not there[key]]
    twice = [key for key, number in there.items() if number > 1]
    print(f"  {what}: {len(keys):,} promised, {len(lost)} lost, {len(twice)} twice")
    return [f"{what}: lost {lost[:5]}, twice {twice[:5]}"] if lost or twice else []


def judge_orders(promised: dict[str, list[dict]]) -> list[str]:
    """Return the orders that are lost, and the paid ones that stayed unpaid."""
    from marketplace.models import Order

    orders = {row["id"] for row in promised["/api/orders"]}
    there = set(Order.objects.filter(pk__in=orders).values_list("pk", flat=True))
    paid = {row["id"] for row in promised["/api/admin/orders/{id}/pay"]}
    unpaid = Order.objects.filter(pk__in=paid, status="reserved").count()
    print(f"  orders: {len(orders):,} promised, {len(orders - there)} lost; {unpaid} paid in vain")
    if orders - there or unpaid:
        return [f"orders lost {sorted(orders - there)[:5]}, paid in vain {unpaid}"]
    return []


def judge_schedules() -> list[str]:
    """No schedule ran twice at one time, on whichever worker."""
    from django_q.models import Schedule, Task

    found, runs = [], 0
    for schedule in Schedule.objects.filter(schedule_type=Schedule.MINUTES):
        started = sorted(Task.objects.filter(group=schedule.name).values_list("started", flat=True))
        runs += len(started)
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(started)]
        # What waited for a dead worker may run right before the next one.
        twice = sum(gap < 1 for gap in gaps)
        if twice:
            found.append(f"{schedule.name} ran twice at once, {twice} times")
    print(f"schedules: {runs} runs of those by the minute, {len(found)} doubled")
    return found


def judge_memory(house: House) -> list[str]:
    found = []
    assert house.fleet is not None
    for part in house.fleet.parts.values():
        for life in part.lives:
            if not life or life[-1][0] < SHORT_LIFE:
                continue
            used = [size / 2**20 for _, size in life]
            quarter = len(used) // 4
            parts = [used[quarter * number : quarter * (number + 1)] for number in (1, 3)]
            second, last = map(statistics.median, parts)
            minutes = life[-1][0] / 60
            print(f"  {part.name:<12}{minutes:5.1f} min: {second:6.0f} MB, then {last:6.0f} MB")
            if last > second * GROWTH + SWAY:
                found.append(f"{part.name} grew from {second:.0f} to {last:.0f} MB")
    return found
