"""Payment hooks made, used, given new secrets and removed by another program over HTTP."""

import base64
import hashlib
import hmac
import json
import time

import httpx
import pytest
from django.utils import timezone

from marketplace.models import Order, PaymentEvent, PaymentHook
from marketplace.tests import factories
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.models import ApiToken, AuditEntry

FIRST, SECOND, THIRD = (f"secret-{number}-" + "x" * 24 for number in range(3))
MAPPING = {
    "signature_header": "X-Signature",
    "timestamp_header": "X-Time",
    "encoding": "base64",
    "kinds": {"captured": "payment_succeeded"},
    "fields": {"order": "order", "reference": "payment", "amount": "amount", "currency": "unit"},
}


@pytest.fixture
def call(live_server, superuser):
    """`call(method, path, body, **headers)`: as a superuser, over a real connection."""
    _token, secret = ApiToken.objects.create(user=superuser, two_factor_at=timezone.now())
    headers = {"Authorization": f"Bearer {secret}", "Accept-Language": "en"}
    with httpx.Client(base_url=live_server.url, headers=headers) as http:
        yield lambda method, path, body=None, **more: http.request(
            method, f"/api/{path}", json=body, headers=more
        )


@pytest.fixture
def tell(live_server):
    """`tell(name, event, secret)`: as the payment service; the status."""

    def send(name, event, secret):
        body, stamp = json.dumps(event).encode(), str(int(time.time()))
        digest = hmac.digest(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
        headers = {"X-Time": stamp, "X-Signature": base64.b64encode(digest).decode()}
        address = f"{live_server.url}/api/hooks/{name}"
        return httpx.post(address, content=body, headers=headers).status_code

    return send


HOOK = {"name": "other-pay", "scheme": "hmac", "mapping": MAPPING, "secret": FIRST}
STRIPES = {"name": "stripe", "scheme": "stripe", "mapping": None, "secret": FIRST}


@pytest.mark.django_db(transaction=True)
def test_from_the_first_secret_to_the_last(call, tell):
    order = factories.order(factories.approved(price=100_00))
    Order.objects.filter(pk=order.pk).update(external_id="shop-7")
    hook = call("POST", "admin/payment-hooks", HOOK)
    assert hook.status_code == 201, hook.text
    assert hook.json()["mapping"] == MAPPING
    assert FIRST not in hook.text
    address = f"admin/payment-hooks/{hook.json()['id']}"

    paid = {"order": "shop-7", "payment": "p1", "amount": order.total, "unit": "EUR"}
    assert tell("other-pay", {"id": "n1", "type": "captured", **paid}, FIRST) == 200
    drain()
    order.refresh_from_db()
    assert (order.status, order.payment_reference) == ("paid", "p1")

    turned = call("POST", f"{address}/rotate-secret", {"secret": SECOND})
    assert turned.json()["previous_secret_until"]
    told = [tell("other-pay", {"id": f"n2-{one}", "type": "x"}, one) for one in (FIRST, SECOND)]
    assert told == [200, 200]
    leaked = call("POST", f"{address}/rotate-secret", {"secret": THIRD, "end_previous": True})
    assert leaked.json()["previous_secret_until"] is None
    told = [tell("other-pay", {"id": f"n3-{n}", "type": "x"}, one)
            for n, one in enumerate((FIRST, SECOND, THIRD))]  # fmt: skip
    assert told == [401, 401, 200]

    in_use = call("DELETE", address)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "payment_hook_in_use")
    stale = call("PATCH", address, {"is_active": False}, **{"If-Match": '"1"'})
    assert stale.status_code == 412
    read = call("GET", address)
    off = call("PATCH", address, {"is_active": False}, **{"If-Match": read.headers["ETag"]})
    assert off.json()["is_active"] is False
    assert tell("other-pay", {"id": "n4", "type": "x"}, THIRD) == 404
    listed = call("GET", "admin/payment-hooks")
    assert [row["name"] for row in listed.json()["results"]] == ["other-pay"]

    PaymentEvent.objects.all().delete()
    assert call("DELETE", address).status_code == 204
    assert call("GET", address).status_code == 404
    actions = AuditEntry.objects.filter(action__startswith="marketplace.payment_hook.")
    assert set(actions.values_list("action", flat=True)) == {
        "marketplace.payment_hook.saved",
        "marketplace.payment_hook.previous_secret_ended",
        "marketplace.payment_hook.deleted",
    }
    kept = json.dumps(list(actions.values("before", "after", "metadata")))
    assert not any(secret in kept for secret in (FIRST, SECOND, THIRD))


@pytest.mark.django_db
def test_a_hook_of_stripe_has_no_mapping(as_user, superuser):
    root = as_user(superuser)
    answer = root.post("/api/admin/payment-hooks", STRIPES, format="json")
    assert (answer.status_code, answer.json()["mapping"]) == (201, None)
    problem(root.post("/api/admin/payment-hooks", STRIPES, format="json"), 400, field="name")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"secret": ""}, "secret"),
        ({"name": "Not A Name"}, "name"),
        ({"scheme": "none"}, "scheme"),
        ({"scheme": "stripe"}, "mapping"),
        ({"mapping": None}, "mapping"),
        ({"mapping": []}, "mapping"),
        ({"mapping": MAPPING | {"kinds": {"x": ["refunded"]}}}, "mapping.kinds.x"),
        ({"mapping": MAPPING | {"kinds": {"x": "nonsense"}}}, "mapping.kinds.x"),
        ({"mapping": MAPPING | {"fields": {"nonsense": "a"}}}, "mapping.fields.nonsense"),
        ({"mapping": MAPPING | {"algorithm": "none"}}, "mapping.algorithm"),
        ({"mapping": MAPPING | {"signature_header": ""}}, "mapping.signature_header"),
        ({"mapping": MAPPING | {"surprise": 1}}, "mapping.surprise"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_named(as_user, superuser, changed, field):
    root = as_user(superuser)
    problem(root.post("/api/admin/payment-hooks", HOOK | changed, format="json"), 400, field=field)
    assert not PaymentHook.objects.exists()


@pytest.mark.django_db
def test_an_operator_switches_a_hook_off_and_gives_nobody_a_voice(as_user, staff, superuser):
    operator, root = as_user(staff("operator")), as_user(superuser)
    made = root.post("/api/admin/payment-hooks", HOOK, format="json").json()
    address, refusal = f"/api/admin/payment-hooks/{made['id']}", "payment_hook_needs_superuser"
    own = STRIPES | {"secret": THIRD}
    problem(operator.post("/api/admin/payment-hooks", own, format="json"), 403, refusal)
    turned = operator.post(f"{address}/rotate-secret", {"secret": THIRD}, format="json")
    problem(turned, 403, refusal)
    for changed in ({"name": "stripe"}, {"mapping": MAPPING | {"encoding": "hex"}}):
        problem(operator.patch(address, changed, format="json"), 403, refusal)
    off = operator.patch(address, {"is_active": False}, format="json")
    assert (off.status_code, off.json()["is_active"]) == (200, False)
    hook = PaymentHook.objects.get()
    assert (hook.name, hook.mapping, hook.previous_secret) == ("other-pay", MAPPING, "")
