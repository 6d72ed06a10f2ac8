"""Members, staff and a service at work, for locust. Started by `bench/soak.py`, which reads what
is written here: every call in `calls.csv`, every effect somebody was promised in `promises.jsonl`.
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from locust import HttpUser, between, constant_pacing, events, task

WORLD = json.loads(Path(os.environ["SOAK_WORLD"]).read_text())
PLACE = Path(os.environ["SOAK_WORLD"]).parent
CALLS = (PLACE / "calls.csv").open("a", buffering=1)
PROMISES = (PLACE / "promises.jsonl").open("a", buffering=1)
# How long a caller goes on asking for the same effect, and how often.
PATIENCE, PAUSE = 120.0, 1.0


@events.request.add_listener
def note_call(name, response_time, exception, response=None, start_time=None, **_rest):
    status = getattr(response, "status_code", 0) or 0
    began = start_time or time.time()
    CALLS.write(f"{began:.3f},{name},{status},{response_time:.1f}\n")


def one_of(page):
    """Return a row of a page, if there is a page and a row."""
    rows = (page or {}).get("results", [])
    return random.sample(rows, k=min(len(rows), 1))


def note_promise(path, key, answer):
    """Write down what was promised, for `soak.py` to look for; return the answer."""
    made = answer.get("id") if isinstance(answer, dict) else None
    PROMISES.write(json.dumps({"path": path, "key": key, "id": made}) + "\n")
    return answer


class Caller(HttpUser):
    """Somebody with a token; the balancer's other process is tried when one does not answer."""

    abstract = True
    host = WORLD["hosts"][0]
    role = "members"

    def on_start(self):
        self.person = random.choice(WORLD[self.role])
        self.client.headers["Authorization"] = f"Bearer {self.person['token']}"
        self.number = random.randrange(2)

    def at(self, path):
        self.number += 1
        return WORLD["hosts"][self.number % len(WORLD["hosts"])] + path

    def read(self, path, name=None):
        with self.client.get(
            self.at(path), name=name or path.split("?")[0], timeout=30, catch_response=True
        ) as response:
            fine = response.status_code == 200
            response.success() if fine else response.failure(f"{response.status_code}")
            return response.json() if fine else None

    def make(self, path, body, name=None, *, kind=None, may_be_late=False):
        """Ask for an effect until it is promised; the same key each time."""
        name = name or path
        key, deadline = uuid.uuid4().hex, time.monotonic() + PATIENCE
        if kind:
            body = {**body, kind: f"{body.get(kind, '')} {key}".strip()}
        while time.monotonic() < deadline:
            with self.client.post(
                self.at(path),
                json=body,
                name=name,
                headers={"Idempotency-Key": key},
                timeout=30,
                catch_response=True,
            ) as response:
                fine = response.status_code in (200, 201, 202)
                if may_be_late and response.status_code == 409:
                    response.success()  # a colleague was quicker
                    return None
                response.success() if fine else response.failure(
                    f"{response.status_code} {response.text[:200]}"
                )
                if fine:
                    return note_promise(name, key, response.json())
                if 400 <= response.status_code < 500 and response.status_code not in (409, 429):
                    return None
            time.sleep(PAUSE)
        return None


class Member(Caller):
    """Reads, writes to neighbours, looks at the shelf, buys, asks for help."""

    weight = 12
    wait_time = between(0.3, 1.7)

    @task(6)
    def look_at_the_counter(self):
        self.read("/api/messages/unread-count")

    @task(4)
    def open_the_letters(self):
        found = self.read("/api/messages/conversations?page_size=20")
        rows = [row for row in (found or {}).get("results", []) if row["unread_count"]]
        if rows:
            row = random.choice(rows)
            self.read(f"/api/messages/{row['user']['id']}", "/api/messages/{user}")
            last = row["last_message"]
            self.make(f"/api/messages/{last['id']}/read", {}, "/api/messages/{id}/read")

    @task(5)
    def write(self):
        body = {"recipient": random.choice(self.person["neighbours"]), "body": "Still there?"}
        self.make("/api/messages", body, kind="body")

    @task(4)
    def look_at_the_shelf(self):
        found = self.read("/api/products?page_size=20")
        for row in one_of(found):
            self.read(f"/api/products/{row['id']}", "/api/products/{id}")

    @task(2)
    def buy(self):
        product = random.choice(WORLD["products"])
        if product["seller"] != self.person["id"]:
            self.make("/api/orders", {"product": product["id"], "quantity": 1})

    @task(1)
    def ask_for_help(self):
        body = {"subject": "Where is it?", "body": "It has not come."}
        ticket = self.make("/api/tickets", body, kind="subject")
        if ticket:
            self.make(
                f"/api/tickets/{ticket['id']}/reply",
                {"body": "It came"},
                "/api/tickets/{id}/reply",
                kind="body",
            )

    @task(2)
    def look_at_the_tickets(self):
        self.read("/api/tickets")

    @task(1)
    def look_at_the_orders(self):
        self.read("/api/orders")


class Staff(Caller):
    """Works the queues: money in, trades completed, tickets answered, accounts looked at."""

    weight = 2
    role = "staff"
    wait_time = between(0.5, 2)

    @task(4)
    def take_the_money(self):
        found = self.read("/api/admin/orders?status=reserved&page_size=20", "/api/admin/orders")
        for row in one_of(found):
            paid = self.make(
                f"/api/admin/orders/{row['id']}/pay",
                {"reference": f"pay-{row['id']}"},
                "/api/admin/orders/{id}/pay",
                may_be_late=True,
            )
            if paid and random.random() < 0.7:
                self.make(
                    f"/api/admin/orders/{row['id']}/complete",
                    {},
                    "/api/admin/orders/{id}/complete",
                    may_be_late=True,
                )

    @task(3)
    def answer_a_ticket(self):
        found = self.read("/api/admin/tickets?page_size=20&status=new", "/api/admin/tickets")
        for row in one_of(found):
            self.make(
                f"/api/admin/tickets/{row['id']}/reply",
                {"body": "We are looking"},
                "/api/admin/tickets/{id}/reply",
                kind="body",
            )

    @task(3)
    def look_at_an_account(self):
        pk = random.choice(WORLD["members"])["id"]
        self.read(f"/api/admin/users/{pk}/risk-score", "/api/admin/users/{id}/risk-score")
        self.read(
            f"/api/admin/users/{pk}/related-accounts", "/api/admin/users/{id}/related-accounts"
        )

    @task(2)
    def look_at_the_desk(self):
        self.read("/api/admin/users?ordering=-risk_score", "/api/admin/users")
        self.read("/api/admin/anomalies")

    @task(1)
    def look_at_the_house(self):
        self.read("/api/admin/system/status")
        self.read("/api/admin/stats/overview")
        self.read("/api/admin/audit")


class Service(Caller):
    """The platform: what accounts do, ten events a second."""

    fixed_count = 1
    role = "services"
    wait_time = constant_pacing(1)

    @task
    def tell(self):
        now = datetime.now(UTC).isoformat()
        batch = uuid.uuid4().hex
        rows = [
            {
                "kind": random.choice(("login_ok", "login_ok", "message_sent", "login_failed")),
                "account": random.choice(WORLD["members"])["id"],
                "occurred_at": now,
                "external_id": f"{batch}-{number}",
                "ip": f"203.0.113.{random.randrange(1, 200)}",
                "device": f"device-{random.randrange(150)}",
            }
            for number in range(WORLD["events_a_call"])
        ]
        self.make("/api/events", {"events": rows})
