"""Stands in for Stripe while you try things: sends its events, signed as Stripe signs them.

python docs/examples/stripe_events.py http://localhost:8000/api/hooks/stripe whsec_… order-1 12500
"""

import copy
import hashlib
import hmac
import json
import sys
import time
from pathlib import Path

import httpx

RECORDED = json.loads(Path(__file__).with_name("recorded_stripe.json").read_text())


class StripeEvents:
    """Sends recorded events of Stripe with the amounts and names of an order."""

    def __init__(self, address: str, secret: str) -> None:
        self.address, self.secret = address, secret

    def paid(self, order: str, amount: int) -> None:
        """Tell that an order was paid."""
        told = {"amount": amount, "amount_received": amount, "metadata": {"order_id": order}}
        self.send("payment_intent.succeeded", order, id=f"pi_{order}", **told)

    def refunded(self, order: str, amount: int, total: int) -> None:
        """Tell how much of a payment was given back in all."""
        told = {"amount": amount, "amount_refunded": total, "payment_intent": f"pi_{order}"}
        self.send("charge.refunded", f"{order}-{total}", id=f"ch_{order}", **told)

    def disputed(self, order: str, amount: int) -> None:
        """Tell of a chargeback."""
        told = {"amount": amount, "payment_intent": f"pi_{order}"}
        self.send("charge.dispute.created", order, id=f"du_{order}", **told)

    def send(self, kind: str, name: str, **told) -> None:
        """Send an event until it is taken, as Stripe does."""
        event = copy.deepcopy(RECORDED[kind])
        event["id"] += f"-{name}"
        event["data"]["object"] |= told
        body = json.dumps(event).encode()
        for _attempt in range(120):
            stamp = str(int(time.time()))
            digest = hmac.digest(self.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
            headers = {"Stripe-Signature": f"t={stamp},v1={digest.hex()}"}
            try:
                answer = httpx.post(self.address, content=body, headers=headers, timeout=30)
                if answer.is_success:
                    return
                if answer.status_code < 500:
                    raise RuntimeError(f"{kind}: {answer.status_code} {answer.text}")
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        raise TimeoutError(kind)


if __name__ == "__main__":
    StripeEvents(sys.argv[1], sys.argv[2]).paid(sys.argv[3], int(sys.argv[4]))
