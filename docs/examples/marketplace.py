"""A small marketplace that has Atalaya as its back office; docs/connect.md leads through it.

    pip install httpx "pyjwt[crypto]" standardwebhooks
    python docs/examples/marketplace.py http://localhost:8000 atk_live_… 8100

It keeps its members, listings and orders itself and signs its members in. Whatever it sends is sent
again until it is answered, and counts once. What happens in Atalaya comes back by webhook; the log
of events gives what was missed meanwhile.
"""

import json
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from standardwebhooks import Webhook, WebhookVerificationError

AUDIENCE, SIGNING_KEY = "atalaya", "2030-01"
ATTEMPTS = 120


class Atalaya:
    """Calls Atalaya with a service key or with the token of a member."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30)

    def call(self, method: str, path: str, body=None):
        """Return the answer; send again, under the same key, what got none."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        for _attempt in range(ATTEMPTS):
            try:
                answer = self.http.request(method, f"/api/{path}", json=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.5)
                continue
            if answer.is_success:
                return answer.json() if answer.content else None
            # 409 while the first attempt is still running, 429 too fast, 503 not now.
            if "Retry-After" not in answer.headers:
                raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
            time.sleep(min(int(answer.headers["Retry-After"]), 10))
        raise TimeoutError(f"{method} {path}")


class Marketplace:
    """The platform: its own records by its own ids, its sign-in, and its receiver of webhooks."""

    def __init__(self, atalaya_url: str, key: str, port: int) -> None:
        self.atalaya_url, self.url = atalaya_url, f"http://127.0.0.1:{port}"
        self.atalaya = Atalaya(atalaya_url, key)
        self.members, self.listings, self.orders = {}, {}, {}
        self.tickets, self.levels = {}, {}
        self.read_to = 0
        self.lock = threading.Lock()
        self.signing = rsa.generate_private_key(65537, 2048)
        self.server = ThreadingHTTPServer(("127.0.0.1", port), receiver(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    # -- sign-in: Atalaya reads the public key and takes the tokens as they are

    def public_keys(self) -> dict:
        """Return what Atalaya reads at `PLATFORM_JWKS_URL`."""
        key = json.loads(RSAAlgorithm.to_jwk(self.signing.public_key()))
        return {"keys": [{**key, "kid": SIGNING_KEY, "use": "sig", "alg": "RS256"}]}

    def sign_in(self, member: str) -> Atalaya:
        """Return Atalaya as this member's app calls it."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": member, "iat": now, "exp": now + 900}
        token = jwt.encode(claims, self.signing, "RS256", {"kid": SIGNING_KEY})
        return Atalaya(self.atalaya_url, token)

    # -- what the marketplace sends

    def connect(self) -> None:
        """Subscribe to what happens, once; the secret is shown this once."""
        made = self.atalaya.call("POST", "admin/webhook-endpoints", {"url": f"{self.url}/webhooks"})
        self.webhooks = Webhook(made["secret"])

    def send_members(self, members: list[dict], size: int = 20) -> None:
        """Make or update members, up to 1,000 in a call."""
        for start in range(0, len(members), size):
            part = members[start : start + size]
            self._batch("admin/members/batch", "members", part)
            self.members |= {one["external_id"]: one for one in part}

    def send_listings(self, listings: list[dict]) -> None:
        """Send listings to review; the verdicts come as events."""
        self._batch("admin/products/batch", "products", listings)

    def send_orders(self, orders: list[dict]) -> None:
        """Send what our checkout took; the payments come from the payment service."""
        self._batch("admin/orders/batch", "orders", orders)

    def _batch(self, path: str, name: str, rows: list[dict]) -> None:
        done = self.atalaya.call("POST", path, {name: rows})
        if refused := [row for row in done["results"] if row["status"] == "refused"]:
            raise ValueError(refused)

    def open_ticket(self, member: str, subject: str, body: str) -> None:
        """Open a ticket as a member's app does: no password of Atalaya, our own sign-in."""
        self.sign_in(member).call("POST", "tickets", {"subject": subject, "body": body})

    def report(self, events: list[dict]) -> None:
        """Send what members did to the risk desk."""
        self.atalaya.call("POST", "events", {"events": events})

    def recalculate(self, member: str) -> None:
        """Have the risk of a member calculated now instead of within a minute."""
        account = quote(f"ext:{member}", safe="")
        self.atalaya.call("POST", f"admin/users/{account}/risk-score/calculate")

    # -- what comes back

    def take(self, event: dict) -> None:
        """Keep the newest state of what an event is about, in whatever order they come."""
        data = event["data"]
        rows, name = {
            "product": (self.listings, data.get("external_id")),
            "order": (self.orders, data.get("external_id")),
            "ticket": (self.tickets, data.get("number")),
            "risk": (self.levels, data.get("user_external_id")),
        }.get(event["type"].partition(".")[0], (None, None))
        if name is None or event.get("test"):
            return
        with self.lock:
            row = rows.setdefault(name, {"sequence": 0})
            if event["sequence"] > row["sequence"]:
                row |= {**data, "sequence": event["sequence"]}

    def catch_up(self) -> None:
        """Read the log from where we were: after a restart, or once in a while."""
        path = f"admin/events?page_size=100&after={self.read_to}"
        while page := self.atalaya.call("GET", path):
            for event in page["results"]:
                self.take(event)
                self.read_to = event["sequence"]
            if page["next"] is None:
                return
            path = page["next"].partition("/api/")[2]


def receiver(marketplace: Marketplace) -> type[BaseHTTPRequestHandler]:
    """Return the marketplace's own web pages: its public keys, and where webhooks come in."""

    class Receiver(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.path == "/jwks.json"
            self.answer(200 if is_known else 404, marketplace.public_keys() if is_known else {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                event = marketplace.webhooks.verify(body, dict(self.headers))
            except WebhookVerificationError:
                self.answer(400, {"error": "not signed by Atalaya"})
            else:
                marketplace.take(event)
                self.answer(200, {})

        def answer(self, status: int, body: dict) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_args) -> None:
            pass

    return Receiver


if __name__ == "__main__":
    shop = Marketplace(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    shop.connect()
    shop.send_members([{"external_id": f"u-{n}", "first_name": f"Member {n}"} for n in range(100)])
    shop.open_ticket("u-1", "Hello", "Sent by our own sign-in.")
    while True:
        time.sleep(2)
        shop.catch_up()
        known = {"tickets": shop.tickets, "listings": shop.listings, "orders": shop.orders}
        sys.stdout.write(f"{json.dumps(known)}\n")
