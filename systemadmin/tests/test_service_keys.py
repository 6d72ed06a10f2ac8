"""Service keys: made, used, rotated, handed over, revoked; never more than their owner."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from systemadmin.models import AuditEntry, ServiceKey, ServiceKeySecret
from systemadmin.service_key_format import checksum, is_well_formed, new_secret
from systemadmin.services import service_keys
from systemadmin.services.offboarding import offboard
from systemadmin.services.rights import set_rights
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
METRICS = "/api/admin/system/metrics"
STATUS = "systemadmin.view_systemstatus"


def client_of(secret, **headers):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}", **headers)
    return client


@pytest.fixture
def operator(staff):
    call_command("setup", verbosity=0)
    return staff("operator", username="olga")


@pytest.fixture
def made(operator):
    """`made(permissions…)`: a key of the operator's."""

    def make(*permissions, owner=None, **values):
        number = ServiceKey.objects.count()
        return service_keys.create_service_key(
            actor=owner or operator, name=f"key {number}", permissions=permissions, **values
        )

    return make


def refused(response, code, status=401):
    assert response.status_code == status, response.content
    assert response.json()["code"] == code
    return True


# -- how a key is written -----------------------------------------------------------------


def test_a_key_carries_its_prefix_and_its_checksum():
    secret = new_secret()
    assert secret.startswith("atk_live_")
    assert is_well_formed(secret)
    body = secret.removeprefix("atk_live_")[:32]
    assert secret.endswith(checksum(body))
    assert checksum("") == "000000"
    changed = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for wrong in (changed, secret + "0", secret[:-1], "atk_live_", secret.replace("live", "test")):
        assert not is_well_formed(wrong)


def test_a_text_that_only_looks_like_a_key_costs_no_query(made):
    secret = new_secret()
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    with CaptureQueriesContext(connection) as queries:
        assert refused(client_of(wrong).get(METRICS), "key_unknown")
    assert not [one for one in queries if "servicekey" in one["sql"]]


# -- by the API ---------------------------------------------------------------------------


def test_a_key_is_made_by_the_api_and_shown_once(as_user, operator):
    body = {"name": "Prometheus", "permissions": [STATUS], "networks": ["127.0.0.1"]}
    answer = as_user(operator).post("/api/admin/service-keys", body, format="json")
    assert answer.status_code == 201, answer.json()
    secret, shown = answer.json()["secret"], answer.json()["key"]
    assert shown["networks"] == ["127.0.0.1/32"]
    assert shown["owner"] == operator.pk
    assert secret not in str(list(ServiceKeySecret.objects.values()))
    again = as_user(operator).get(f"/api/admin/service-keys/{shown['id']}").json()
    assert secret not in str(again)
    assert again["permissions"] == [STATUS]
    assert client_of(secret).get(METRICS).status_code == 200
    entry = AuditEntry.objects.get(action="systemadmin.service_key.created")
    assert entry.actor == operator
    assert secret not in str(entry.after)


def test_prometheus_scrapes_with_one(made):
    answer = client_of(made(STATUS).secret, HTTP_ACCEPT="application/openmetrics-text").get(METRICS)
    assert answer.status_code == 200
    assert answer.content.startswith(b"# HELP atalaya_")


def test_what_a_key_lacks_is_refused(made):
    client = client_of(made(STATUS).secret)
    denied = client.get("/api/admin/audit")
    assert refused(denied, "permission_denied", 403)
    assert denied.json()["permissions"] == ["systemadmin.view_auditentry"]
    assert "systemadmin.view_auditentry" in denied.json()["detail"]
    assert refused(client.get("/api/tickets"), "act_for_required", 403)
    assert client.get("/api/auth/me").json()["permissions"] == [STATUS]
    assert refused(client.get("/api/auth/sessions"), "act_for_required", 403)


def test_nobody_gives_a_key_what_they_lack_or_what_is_a_persons(as_user, operator, superuser):
    for person, name in (
        (operator, "support.reply_ticket"),
        (operator, "systemadmin.no_such"),
        (superuser, "systemadmin.add_servicekey"),
        (superuser, "systemadmin.decide_approvalrequest"),
        (superuser, "systemadmin.change_user"),
    ):
        body = {"name": "x", "permissions": [name]}
        answer = as_user(person).post("/api/admin/service-keys", body, format="json")
        assert refused(answer, "invalid", 400)
        assert answer.json()["errors"][0]["field"] == "permissions"
    assert ServiceKey.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("networks", ["10.0.0.0/33"]),
        ("networks", ["example.com"]),
        ("member_scopes", ["auth:write"]),
        ("member_scopes", ["tickets:delete"]),
        ("rate", "a lot"),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("name", "\u2003"),
    ],
)
def test_wrong_input_is_a_400_that_names_the_field(as_user, operator, field, value):
    body = {"name": "x", field: value}
    answer = as_user(operator).post("/api/admin/service-keys", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].split(".")[0] == field


def test_every_wrong_field_of_a_key_is_named(as_user, operator):
    wrong = {
        "name": "-",
        "permissions": ["no.such"],
        "networks": ["1.2.3"],
        "member_scopes": ["moon:read"],
        "rate": "often",
        "expires_at": "2020-01-01T00:00:00Z",
    }
    answer = as_user(operator).post("/api/admin/service-keys", wrong).json()
    assert {one["field"] for one in answer["errors"]} == set(wrong)


def test_a_name_is_in_use_once_and_free_after_revocation(as_user, operator):
    client = as_user(operator)
    first = client.post("/api/admin/service-keys", {"name": "Sync"}).json()["key"]
    assert client.post("/api/admin/service-keys", {"name": "Sync"}).status_code == 400
    revoked = client.post(f"/api/admin/service-keys/{first['id']}/revoke", {"reason": "Leaked"})
    assert revoked.json()["revoked_at"]
    assert not revoked.json()["is_live"]
    assert client.post("/api/admin/service-keys", {"name": "Sync"}).status_code == 201


# -- how it ends --------------------------------------------------------------------------


def test_two_secrets_are_valid_after_a_rotation_and_never_three(made, operator):
    first = made(STATUS)
    second = service_keys.rotate_service_key(actor=operator, key=first.key)
    assert client_of(first.secret).get(METRICS).status_code == 200
    assert client_of(second.secret).get(METRICS).status_code == 200
    third = service_keys.rotate_service_key(
        actor=operator, key=first.key, overlap=timedelta(hours=1)
    )
    assert refused(client_of(first.secret).get(METRICS), "key_replaced")
    assert client_of(second.secret).get(METRICS).status_code == 200
    ServiceKeySecret.objects.filter(ends_at__gt=timezone.now()).update(ends_at=timezone.now())
    assert refused(client_of(second.secret).get(METRICS), "key_replaced")
    assert client_of(third.secret).get(METRICS).status_code == 200


def test_a_revoked_or_expired_key_is_a_clear_401(made, operator):
    issued, ending = made(STATUS), made(STATUS)
    service_keys.revoke_service_key(actor=operator, key=issued.key, reason="Leaked")
    assert refused(client_of(issued.secret).get(METRICS), "key_revoked")
    assert client_of(issued.secret).get(METRICS)["WWW-Authenticate"] == "Bearer"
    ServiceKey.objects.filter(pk=ending.key.pk).update(expires_at=timezone.now())
    assert refused(client_of(ending.secret).get(METRICS), "key_expired")
    assert refused(client_of(new_secret()).get(METRICS), "key_unknown")


def test_it_is_accepted_from_its_addresses_only(made, settings):
    secret = made(STATUS, networks=["203.0.113.0/24", "2001:db8::/32"]).secret
    client = client_of(secret)
    for ip, good in (("203.0.113.9", True), ("2001:db8::5", True), ("198.51.100.1", False)):
        answer = client.get(METRICS, REMOTE_ADDR=ip)
        assert answer.status_code == 200 if good else refused(answer, "key_elsewhere")
    # What a client says of itself counts only as far as the proxies that are trusted.
    spoofed = {"REMOTE_ADDR": "198.51.100.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert refused(client.get(METRICS, **spoofed), "key_elsewhere")
    settings.TRUSTED_PROXY_COUNT = 1
    assert client.get(METRICS, **spoofed).status_code == 200
    through = "203.0.113.9, 198.51.100.7"
    answer = client.get(METRICS, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=through)
    assert refused(answer, "key_elsewhere")
    assert refused(client.get(METRICS, REMOTE_ADDR=""), "key_elsewhere")


# -- never more than the owner ------------------------------------------------------------


def test_what_the_owner_loses_the_key_loses_at_once(made, operator, superuser):
    client = client_of(made(STATUS).secret)
    assert client.get(METRICS).status_code == 200
    operator.groups.clear()
    assert refused(client.get(METRICS), "permission_denied", 403)


def test_a_suspended_owner_or_key_may_nothing(made, operator, superuser):
    from systemadmin.services.users import suspend_user

    issued = made(STATUS)
    suspend_user(actor=superuser, user=operator, reason="Test")
    assert refused(client_of(issued.secret).get(METRICS), "permission_denied", 403)
    suspend_user(actor=superuser, user=issued.key.account, reason="Test")
    assert refused(client_of(issued.secret).get(METRICS), "key_closed")


def test_the_successor_of_who_leaves_answers_for_the_key(made, operator, superuser, staff):
    issued, other = made(STATUS), staff("operator")
    offboard(actor=superuser, user=operator, reason="Left", successor=other)
    key = ServiceKey.objects.get(pk=issued.key.pk)
    assert key.owner == other
    assert client_of(issued.secret).get(METRICS).status_code == 401
    newer = service_keys.rotate_service_key(actor=other, key=key)
    assert client_of(newer.secret).get(METRICS).status_code == 200


def test_without_a_successor_the_keys_end(made, operator, superuser):
    issued = made(STATUS)
    offboard(actor=superuser, user=operator, reason="Left")
    assert refused(client_of(issued.secret).get(METRICS), "key_revoked")


def test_a_key_is_handed_to_who_holds_its_permissions(made, as_user, operator, staff):
    issued, agent, other = made(STATUS), staff("support_agent"), staff("operator")
    path = f"/api/admin/service-keys/{issued.key.pk}/hand-over"
    client = as_user(operator)
    assert client.post(path, {"owner": agent.pk}).status_code == 400
    assert client.post(path, {"owner": issued.key.account_id}).status_code == 409
    assert client.post(path, {"owner": other.pk}).json()["owner"] == other.pk
    # Who had the secret until now has it no longer, and makes no new one.
    assert client_of(issued.secret).get(METRICS).status_code == 401
    rotate = f"/api/admin/service-keys/{issued.key.pk}/rotate"
    assert refused(client.post(rotate, {}), "key_of_a_colleague", 403)
    assert as_user(other).post(rotate, {}).status_code == 200


def test_nobody_learns_or_passes_on_the_secret_of_a_colleague(made, as_user, superuser, staff):
    """Its acts count as the owner's: the one who asks could then agree as the second person."""
    issued, other = made(STATUS), staff("operator")
    client, path = as_user(other), f"/api/admin/service-keys/{issued.key.pk}"
    assert refused(client.post(f"{path}/rotate", {}), "key_of_a_colleague", 403)
    assert refused(client.post(f"{path}/hand-over", {"owner": other.pk}), "key_of_a_colleague", 403)
    assert client_of(issued.secret).get(METRICS).status_code == 200
    assert as_user(superuser).post(f"{path}/rotate", {}).status_code == 200


# -- duties -------------------------------------------------------------------------------


def test_a_key_makes_changes_and_ends_no_key(made, superuser):
    issued = made(STATUS)
    permissions = Permission.objects.filter(codename__endswith="servicekey")
    issued.key.account.user_permissions.add(*permissions)
    client = client_of(issued.secret)
    assert refused(client.post("/api/admin/service-keys", {"name": "x"}), "key_of_a_key", 403)
    path = f"/api/admin/service-keys/{issued.key.pk}"
    assert refused(client.post(f"{path}/rotate", {}), "key_of_a_key", 403)
    assert refused(client.post(f"{path}/revoke", {"reason": "x"}), "key_of_a_key", 403)


def test_what_concerns_the_owner_their_key_does_not_decide(made, operator, member):
    client = client_of(made("systemadmin.suspend_user", "systemadmin.view_user").secret)
    answer = client.post(f"/api/admin/users/{operator.pk}/suspend", {"reason": "x"})
    assert refused(answer, "own_interest", 403)
    assert client.post(f"/api/admin/users/{member.pk}/suspend", {"reason": "x"}).status_code == 200
    entry = AuditEntry.objects.get(action="systemadmin.user.suspended")
    assert entry.actor_name.startswith("key.")
    assert entry.actor_role == "service"
    assert entry.metadata["service_owner"] == "olga"


@pytest.mark.parametrize("alone", [True, False])
def test_what_needs_two_people_waits_when_a_key_asks(made, staff, as_user, operator, alone):
    from systemadmin.foundation import configuration
    from systemadmin.models import ApprovalRequest

    single = configuration.declared_settings()["duties.single_person"]
    object.__setattr__(single, "default", alone)
    issued = made("systemadmin.purge_demo")
    client = client_of(issued.secret)
    answer = client.post("/api/admin/demo/purge", {}, format="json", HTTP_APPROVAL_REASON="Test")
    assert answer.status_code == 202, answer.json()
    request = ApprovalRequest.objects.get()
    path = f"/api/admin/approvals/{request.pk}/approve"
    assert client_of(issued.secret).post(path, {}).status_code == 403
    own = as_user(operator).post(path, {})
    assert own.status_code == (200 if alone else 403), own.json()


def test_no_key_ever_holds_all_rights(made, superuser):
    from django.db import IntegrityError, transaction

    account = made(STATUS).key.account
    with pytest.raises(IntegrityError), transaction.atomic():
        set_rights(actor=superuser, user=account, flags={"is_superuser": True})


def test_nobody_signs_in_as_a_key(made, api, superuser, as_user):
    account = made(STATUS).key.account
    account.set_password("Correct-horse-7-battery")
    account.save()
    body = {"username": account.username, "password": "Correct-horse-7-battery"}
    assert api.post("/api/auth/login", body).status_code == 401
    assert as_user(account).get(METRICS).status_code == 401


# -- the rest -----------------------------------------------------------------------------


def test_use_is_noted_with_its_address_once_a_minute(made):
    issued = made(STATUS)
    client_of(issued.secret).get("/api/auth/me", REMOTE_ADDR="203.0.113.9")
    key = ServiceKey.objects.get(pk=issued.key.pk)
    assert key.last_used_at is not None
    assert key.last_used_ip == "203.0.113.9"
    client_of(issued.secret).get("/api/auth/me", REMOTE_ADDR="203.0.113.10")
    assert ServiceKey.objects.get(pk=issued.key.pk).last_used_at == key.last_used_at


@pytest.mark.ratelimited
def test_a_key_has_a_rate_of_its_own(made):
    own, usual = made(STATUS, rate="2/m"), made(STATUS)
    answers = [client_of(own.secret).get("/api/auth/me").status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    answer = client_of(usual.secret).get("/api/auth/me")
    assert answer.status_code == 200
    assert answer["RateLimit-Policy"] == '"service";q=1200;w=60'


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer {0},Bearer {0}", "Bearer é"])
def test_what_is_no_single_token_is_refused(made, header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header.format(made(STATUS).secret))
    assert client.get(METRICS).status_code == 401


def test_the_command_line_makes_lists_rotates_and_revokes(operator):
    out, err = StringIO(), StringIO()

    def run(*words):
        out.truncate(out.seek(0))
        call_command("service_key", *words, stdout=out, stderr=err)
        return out.getvalue().strip()

    secret = run("create", "prom", "--owner", "olga", "--permission", STATUS, "--expires", "90d")
    assert client_of(secret).get(METRICS).status_code == 200
    assert secret[-4:] in run("list")
    assert secret not in run("list")
    newer = run("rotate", "prom", "--overlap", "1h")
    assert client_of(newer).get(METRICS).status_code == 200
    run("revoke", "prom", "--reason", "Over")
    assert run("list") == ""
    assert "revoked" in run("list", "--all")
    assert secret not in err.getvalue()
    UserFactory(username="demo_olga", is_staff=True, is_demo=True)
    for wrong, why in (
        (("create", "x", "--owner", "nobody"), "no account named 'nobody'"),
        (("create", "x", "--owner", "demo_olga"), "DEMO_MODE=1"),
        (
            ("create", "x", "--owner", "olga", "--permission", "support.reply_ticket"),
            "Not one of yours",
        ),
        (
            ("create", "x", "--owner", "olga", "--permission", "support.replies"),
            "no such permission: support.replies",
        ),
        (("create", "x", "--owner", "olga", "--expires", "soon"), "A duration"),
        (("revoke", "prom", "--reason", "again"), "no service key 'prom'"),
    ):
        with pytest.raises(CommandError, match=why):
            run(*wrong)


def test_the_admin_makes_a_key_and_shows_it_once(client, operator, admin_client_for):
    page = admin_client_for(operator)
    url = reverse("admin:systemadmin_servicekey_add")
    assert b"support.reply_ticket" not in page.get(url).content
    chosen = Permission.objects.get(codename="view_systemstatus")
    answer = page.post(url, {"name": "Shop", "permissions": [chosen.pk]}, follow=True)
    text = answer.content.decode()
    secret = text[text.index("atk_live_") :][:47]
    assert is_well_formed(secret)
    assert client_of(secret).get(METRICS).status_code == 200
    key = ServiceKey.objects.get()
    detail = page.get(reverse("admin:systemadmin_servicekey_change", args=[key.pk]))
    assert secret not in detail.content.decode()
