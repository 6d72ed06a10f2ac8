"""Every endpoint as everyone, with hostile input: no answer costs over 1 s or 100 MB, none is 500.

Payloads rotate over the endpoints: each endpoint meets every class of payload as roles that may
call it, and every role meets some that it may not.
"""

import itertools
import json
import os

import pytest

from config.tests import cost, hostile
from config.tests.cost import Watch
from config.tests.routes import normal
from config.tests.schema_watch import document
from config.tests.test_permission_matrix import EVERYONE, MATRIX, ROLES
from riskops.models import AnomalyRule
from systemadmin.foundation.content_type import utf8_only_wsgi
from systemadmin.foundation.testing import rolled_back
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.same_on_both]

METHODS = ("get", "post", "put", "patch", "delete")
# How many payloads of a class each endpoint meets.
TURNS = int(os.environ.get("COST_TURNS", "1"))


def operations():
    for path, item in sorted(document()["paths"].items()):
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def schema_of(part):
    reference = part.get("$ref", "")
    if reference:
        return schema_of(document()["components"]["schemas"][reference.rpartition("/")[2]])
    for name in ("allOf", "oneOf", "anyOf"):
        if name in part:
            return schema_of(part[name][0])
    return part


def fields_of(operation):
    """The names of the fields of a body; one where the schema names none."""
    content = operation.get("requestBody", {}).get("content", {})
    body = schema_of(content.get("application/json", {}).get("schema", {}))
    return list(body.get("properties", {})) or ["body"]


def parameters_of(operation):
    """The names of the query parameters; one where the schema names none."""
    found = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    return found or ["search"]


class Turns:
    """Takes payloads in turn, so that over all endpoints each is used many times."""

    def __init__(self):
        self.counters = {}

    def take(self, name, payloads, count):
        payloads = list(payloads)
        counter = self.counters.setdefault(name, itertools.count())
        return [payloads[next(counter) % len(payloads)] for _ in range(count)]


def behind_the_door(client):
    """The client, its requests checked as the entry points check them before Django."""
    handler = client.handler
    door = utf8_only_wsgi(lambda environ, _start: handler(environ))
    client.handler = lambda environ: door(environ, None)
    return client


@pytest.fixture
def cast(db, api, as_user, member, staff, superuser):
    people = {"anonymous": api, "member": as_user(member), "superuser": as_user(superuser)}
    people |= {role: as_user(staff(role)) for role in ROLES}
    return {role: behind_the_door(client) for role, client in people.items()}


@pytest.fixture
def things(cast):
    """`things(path)`: the path with the ids of objects that are really there."""
    from marketplace.tests import factories as marketplace
    from messaging.tests import factories as messaging
    from support.tests import factories as support

    marta = cast["member"].user
    product = marketplace.approved(marta)
    marketplace.paid(product)
    support.make_ticket(marta)
    support.make_template()
    support.make_faq()
    message = messaging.send(messaging.old_member(), marta)
    known = {"/api/messages": message.pk}

    def fill(path):
        if "{" not in path:
            return path
        above = path.partition("/{")[0]
        if above not in known:
            role = "superuser" if "/admin/" in path else "member"
            answer = cast[role].get(above)
            body = answer.json() if answer.status_code == 200 else {}
            rows = body.get("results", []) if isinstance(body, dict) else body
            ids = [row["id"] for row in rows if isinstance(row, dict) and "id" in row]
            known[above] = ids[0] if ids else 999_999_999
        parts = [str(known[above]) if part.startswith("{") else part for part in path.split("/")]
        return "/".join(parts)

    return fill


@pytest.fixture
def watch():
    watch = Watch()
    yield watch
    assert watch.calls
    assert watch.faults == []


@pytest.fixture
def everyone(cast):
    """`everyone(method, path)`: clients of those who may call it, in turn, for ever."""
    cycles = {}

    def who(method, path):
        key = method.upper(), normal(path)
        allowed = [role for role in EVERYONE if role in MATRIX.get(key, ())]
        allowed = [*allowed, "superuser"] if allowed != ["anonymous"] else allowed
        role = next(cycles.setdefault(key, itertools.cycle(allowed)))
        return role, cast[role]

    return who


def send(client, method, url, **kwargs):
    return lambda: client.generic(method.upper(), url, **kwargs)


def json_body(pairs):
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in pairs) + "}"


def test_query_strings(watch, things, everyone):
    turns = Turns()
    for method, path, operation in operations():
        if method != "get":
            continue
        names, url = parameters_of(operation), things(path)
        size = hostile.LONGEST_QUERY // len(names)
        pieces = hostile.texts(size).values()
        for _turn in range(TURNS):
            for kind, payloads in (("text", pieces), ("value", hostile.VALUES)):
                role, client = everyone(method, path)
                query = dict(zip(names, turns.take(kind, payloads, len(names)), strict=True))
                watch.call(
                    f"{role}: GET {path}, {kind}", lambda c=client, u=url, q=query: c.get(u, q)
                )
        role, client = everyone(method, path)
        query = "&".join(f"{name}=1" for name in names for _ in range(3_000 // len(names)))
        watch.call(f"{role}: GET {path}, often", send(client, method, url, QUERY_STRING=query))


def test_each_parameter_alone(watch, things, everyone):
    """One wrong parameter must not hide what the next would do."""
    turns = Turns()
    for method, path, operation in operations():
        if method != "get":
            continue
        url = things(path)
        for name in parameters_of(operation):
            pieces = hostile.texts(hostile.LONGEST_QUERY).values()
            value = turns.take("any", [*hostile.VALUES, *pieces], 1)[0]
            role, client = everyone(method, path)
            watch.call(
                f"{role}: GET {path}, {name}={value[:9]}",
                lambda c=client, u=url, q={name: value}: c.get(u, q),
            )


def test_whole_bodies(watch, things, everyone, cast):
    turns, others = Turns(), itertools.cycle(EVERYONE)
    for method, path, _operation in operations():
        if method == "get":
            continue
        url = things(path)
        for turn, (name, (kind, body)) in enumerate(
            turns.take("bodies", hostile.BODIES.items(), TURNS + 1)
        ):
            role, client = everyone(method, path)
            if turn == TURNS:  # whoever may not
                role = next(others)
                client = cast[role]
            watch.call(
                f"{role}: {method} {path}, {name}",
                send(client, method, url, data=body, content_type=kind),
            )


def test_fields(watch, things, everyone):
    turns = Turns()
    for method, path, operation in operations():
        if method in ("get", "delete"):
            continue
        names, url = fields_of(operation), things(path)
        size = hostile.MEGABYTE // len(names)
        pieces = [json.dumps(text)[: size * 6] for text in hostile.texts(size // 2).values()]
        pieces = [text if text.endswith('"') else '"cut"' for text in pieces]
        values = [json.dumps(value) for value in hostile.VALUES]
        for kind, payloads in (
            ("text", pieces),
            ("value", values),
            ("literal", hostile.LITERALS),
        ) * TURNS:
            role, client = everyone(method, path)
            body = json_body(zip(names, turns.take(kind, payloads, len(names)), strict=True))
            watch.call(
                f"{role}: {method} {path}, {kind}",
                send(client, method, url, data=body, content_type=hostile.JSON),
            )


def test_headers(watch, things, everyone):
    turns = Turns()
    for method, path, _operation in operations():
        url = things(path)
        for _turn in range(TURNS):
            ((name, values),) = turns.take("headers", hostile.HEADERS.items(), 1)
            ((value),) = turns.take(name, values, 1)
            role, client = everyone(method, path)
            key = "HTTP_" + name.upper().replace("-", "_")
            watch.call(
                f"{role}: {method} {path}, {name}",
                send(client, method, url, content_type=hostile.JSON, **{key: value}),
            )


def test_paths(watch, everyone, cast):
    turns = Turns()
    pieces = [*hostile.VALUES, *hostile.texts(2_000).values()]
    for method, path, _operation in operations():
        if "{" in path:
            (value,) = turns.take("path", pieces, 1)
            above, _brace, below = path.partition("{")
            url = above + value.replace("%", "%25").replace("/", "%2F") + below.partition("}")[2]
            role, client = everyone(method, path)
            watch.call(f"{role}: {method} {path}", send(client, method, url.replace("?", "%3F")))
    for piece in pieces:
        watch.call(f"no route: {piece[:9]}", lambda p=piece: cast["member"].get(f"/{p}"))


FILES = {
    "/api/tickets": (b"attachments", (b"subject", b"body")),
    "/api/messages": (b"attachment", (b"body",)),
}


def test_names_and_contents_of_files(watch, cast):
    contents = [b"a" * 900_000, b"\x89PNG\r\n\x1a\n" + b"\xff" * 900_000, b"PK\x03\x04" * 200_000]
    for (path, (field, others)), name in itertools.product(FILES.items(), hostile.FILE_NAMES):
        for content in contents:
            named = b'; filename="%s"' % name.encode()
            parts = [hostile.part(other) for other in others]
            body = b"".join([*parts, hostile.part(field, content, named), b"--x--\r\n"])
            watch.call(
                f"{path}: {name[:5]}",
                send(cast["member"], "post", path, data=body, content_type=hostile.FORM),
            )


@pytest.fixture
def texts_of_others(cast, admin_client_for):
    """`texts_of_others(text)`: what people wrote, each with the pages that show it to others."""
    from marketplace.tests import factories as marketplace
    from messaging.tests import factories as messaging
    from support.services import reply_as_staff
    from support.tests import factories as support

    member, root = cast["member"], cast["superuser"]
    admin = admin_client_for(root.user)
    product = marketplace.approved(member.user)
    friend = messaging.old_member()
    messaging.send(friend, member.user)

    def written(text):
        """Yield a name, the act of writing and the pages."""
        ticket = {"subject": text[:255], "body": text[:50_000]}
        created = member.post("/api/tickets", ticket)
        if created.status_code == 201:
            key = created.json()["id"]
            template = support.make_template(code="hostile", body=text[:20_000], actor=root.user)
            reply_as_staff(actor=root.user, ticket=ticket_of(key), body="", template=template)
            yield "ticket", member, f"/api/tickets/{key}"
            yield "ticket", root, f"/api/admin/tickets/{key}"
            yield "ticket", admin, f"/admin/support/ticket/{key}/change/"
        changes = {"description": text[:20_000], "title": f"Lamp {text}"[:200]}
        member.patch(f"/api/products/{product.pk}", changes)
        member.post(f"/api/products/{product.pk}/submit")
        revision = product.revisions.order_by("-pk").first()
        yield "product", member, f"/api/products/{product.pk}"
        yield "product", admin, f"/admin/marketplace/product/{product.pk}/change/"
        if revision is not None:
            yield (
                "revision",
                admin,
                f"/admin/marketplace/productrevision/{revision.pk}/change/",
            )
            yield "revision", root, f"/api/admin/product-revisions/{revision.pk}"
        member.post("/api/messages", {"recipient": friend.pk, "body": text[:4_000]})
        yield "message", member, f"/api/messages/{friend.pk}"
        member.user.first_name = member.user.last_name = text[:150]
        member.user.save()
        yield "name", admin, f"/admin/systemadmin/user/{member.user.pk}/change/"
        yield "name", root, f"/api/admin/users/{member.user.pk}"

    return written


def ticket_of(key):
    from support.models import Ticket

    return Ticket.objects.get(pk=key)


def test_texts_that_others_open(watch, texts_of_others):
    pieces = hostile.texts(50_000)
    for name, text in pieces.items():
        with rolled_back():
            pages = iter(texts_of_others(text))
            while True:
                found = []
                watch.measure(f"write {name}", lambda p=pages, f=found: f.append(next(p, None)))
                if found[0] is None:
                    break
                place, client, url = found[0]
                answer = watch.call(f"open {place}, {name}", lambda c=client, u=url: c.get(u))
                assert answer is None or answer.status_code == 200, (place, name, url)


def test_the_schema_and_its_page(watch, cast):
    cast["superuser"].get("/api/schema")  # made once per process
    for role, client in cast.items():
        for path in ("/api/schema", "/api/docs"):
            for name, values in hostile.HEADERS.items():
                key = "HTTP_" + name.upper().replace("-", "_")
                watch.call(
                    f"{role}: {path}, {name}",
                    lambda c=client, p=path, k=key, v=values[0]: c.get(p, **{k: v}),
                )


class Answer(dict):
    """A stand-in for an answer."""

    streaming = False

    def __init__(self, status_code):
        super().__init__()
        self.status_code = status_code


def test_the_watch_names_what_is_dear_or_fails(monkeypatch, db):
    monkeypatch.setattr(cost, "SECONDS", 0.05)
    watch = Watch()
    watch.call("cheap", lambda: Answer(200))
    watch.call("busy", lambda: sum(range(20_000_000)) and Answer(200))
    watch.call("large", lambda: bytearray(150 << 20) and Answer(200))
    watch.call("broken", lambda: Answer(500))
    watch.call("raises", lambda: 1 / 0)
    named = {fault.partition(":")[0] for fault in watch.faults}
    assert named - {"large"} == {"busy", "broken", "raises"}
    if cost.STATUS.exists():
        assert "large" in named


def test_a_body_of_many_values_is_refused(as_user, superuser, staff):
    """30,000 are more than any call takes; each could cost a check, an error or a query."""
    client = as_user(superuser)
    path = "/api/admin/commission-rules"
    answer = client.post(path, {"name": "x", "tiers": [1] * 30_000}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "too_many_values")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/admin/commissions/quote", "lines"),
        ("/api/admin/commission-rules/preview", "rules"),
        ("/api/orders", "items"),
        ("/api/admin/journal", "lines"),
    ],
)
def test_a_list_of_too_many_items_is_refused_in_one_sentence(as_user, superuser, path, name):
    answer = as_user(superuser).post(path, {name: ["x"] * 1_001}, format="json")
    errors = [error for error in answer.json()["errors"] if error["field"].startswith(name)]
    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in errors] == [(name, "max_length")]


def test_an_object_of_too_many_names_is_refused_in_one_sentence(as_user, superuser):
    rule = AnomalyRule.objects.first()
    body = {"parameters": {f"name {number}": "x" for number in range(1_001)}}
    answer = as_user(superuser).patch(
        f"/api/admin/anomaly-rules/{rule.pk}", body, format="json", headers={"If-Match": "*"}
    )
    errors = answer.json()["errors"]
    assert [(error["field"], error["code"]) for error in errors] == [("parameters", "max_length")]


def test_many_keys_are_one_query(as_user, superuser, django_assert_max_num_queries):
    client, seller = as_user(superuser), UserFactory()
    path = "/api/admin/commission-rules"
    with django_assert_max_num_queries(75):
        answer = client.post(path, {"name": "x", "sellers": [seller.pk] * 900}, format="json")
        assert answer.status_code == 201, answer.json()
        answer = client.post(path, {"name": "y", "sellers": [seller.pk] * 1_001}, format="json")
        assert answer.json()["errors"][0]["field"] == "sellers"
