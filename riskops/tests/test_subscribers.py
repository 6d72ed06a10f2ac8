"""What happens at the floor below becomes an account event."""

from datetime import timedelta

import pytest
from django.utils import timezone

from riskops.models import AccountEvent, AccountFacts, EventKind
from systemadmin.events import two_factor_changed, user_logged_in, user_login_failed
from systemadmin.foundation.queue import drain
from systemadmin.services import verify_user
from systemadmin.tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_a_real_login_is_recorded_with_address_and_device(api, member):
    body = {"username": "marta", "password": PASSWORD, "device": {"fingerprint": "pixel-9"}}
    assert api.post("/api/auth/login", body, format="json").status_code == 200
    drain()
    event = AccountEvent.objects.get(kind=EventKind.LOGIN_OK)
    assert (event.account, event.ip.value, event.device.value) == (
        member,
        "127.0.0.1",
        "pixel-9",
    )
    assert event.source == "atalaya"


def test_a_failed_login_is_recorded(api, member):
    api.post("/api/auth/login", {"username": "marta", "password": "wrong"}, format="json")
    drain()
    assert AccountFacts.objects.get(account=member).failed_logins == 1


def test_a_signal_told_twice_is_one_event(member):
    told = {
        "sender": None,
        "user_id": member.pk,
        "ip": "203.0.113.7",
        "device": "",
        "country": "ES",
        "occurred_at": timezone.now() - timedelta(minutes=1),
        "event_key": "login-1",
    }
    user_logged_in.send(**told)
    user_logged_in.send(**told)
    drain()
    assert AccountEvent.objects.get().country == "ES"


def test_second_factor_and_verification(member, superuser):
    now = timezone.now()
    two_factor_changed.send(
        sender=None, user_id=member.pk, enabled=True, occurred_at=now, event_key="k1"
    )
    two_factor_changed.send(
        sender=None, user_id=member.pk, enabled=False, occurred_at=now, event_key="k2"
    )
    user_login_failed.send(
        sender=None, user_id=member.pk, ip="", device="", occurred_at=now, event_key="k3"
    )
    verify_user(actor=superuser, user=member)
    drain()
    facts = AccountFacts.objects.get(account=member)
    assert facts.two_factor_enabled_at == facts.two_factor_disabled_at == now
    assert facts.verified_at is not None
