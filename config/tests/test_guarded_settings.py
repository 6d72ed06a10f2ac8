"""Settings that protect less are not set by one person: every setting is guarded, or named here."""

import pytest
from django.core.management import call_command

from systemadmin.foundation.configuration import Setting, declared_settings
from systemadmin.models import SystemConfig
from systemadmin.services.configuration import change_settings
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.tests.factories import StaffFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]

# Settings of which no value protects less than another, or which one person may answer for. Whoever
# adds a setting guards it or writes it here.
FREE = {
    "backups.drain_seconds",
    "backups.hour",
    "backups.pinned_days",
    "blocking.flood_minutes",
    "blocking.flood_per_minute",
    "maintenance.banner_hours",
    "maintenance.longest_hours",
    # The header of a yearly report to the tax office, which is read before it is sent.
    "marketplace.dac7_contact",
    "marketplace.dac7_country",
    "marketplace.dac7_platform_name",
    "marketplace.dac7_receiving_country",
    "marketplace.dac7_sender_id",
    "marketplace.forbidden_words",
    "marketplace.invoice_series",
    "marketplace.minimum_payout",
    "marketplace.minimum_payouts",
    "marketplace.platform_address",
    "marketplace.platform_legal_name",
    "marketplace.platform_tax_id",
    "marketplace.reservation_minutes",
    "marketplace.time_zone",
    "webhooks.timeout_seconds",
    "ratelimit.backup",
    "ratelimit.orders.create",
    "ratelimit.read",
    "ratelimit.restore",
    "ratelimit.riskops.decide",
    "ratelimit.riskops.ingest",
    "ratelimit.service",
    "ratelimit.staff",
    "ratelimit.tickets.open",
    "ratelimit.write",
}
# What members may send each other, and how agents work, loses nothing that is kept.
FREE_DESKS = ("messaging.", "support.")


def test_every_setting_is_guarded_or_named():
    open_ones = {
        key
        for key, one in declared_settings().items()
        if not one.is_guarded and not key.startswith(FREE_DESKS)
    }
    assert open_ones == FREE


def test_whatever_says_for_how_long_something_is_kept_is_guarded():
    """Also at the desks that are free: what is kept must not be made shorter alone."""
    says = ("Days for which", "Days after which", "Days that", "expire after", "still resume")
    found = {
        key for key, one in declared_settings().items() if str(one.description).startswith(says)
    } | {key for key, one in declared_settings().items() if "are deleted" in str(one.description)}
    found |= {
        "messaging.stream_days",
        "messaging.retention_days",
        "messaging.report_retention_days",
    }
    # A ticket that is closed sooner is kept as long; a warning deletes nothing.
    assert {key for key in found if not declared_settings()[key].is_guarded} <= {
        "support.auto_close_days",
        "backups.pinned_days",
    }


def weaker_value(one: Setting):
    """A value that protects less than the default."""
    if one.adding_needs_second_person:
        return [*one.default, "203.0.113.0/24"]
    if one.type is bool:
        return not one.default
    if one.changing_needs_second_person:
        return {
            "choice": next((x for x in one.choices if x != one.default), None),
            str: "ES9121000418450200051332",
        }.get(one.type, one.default + 1 if isinstance(one.default, int) else None)
    if one.type == "rate":
        return "10000/s"
    candidates = [one.default - 1, one.default + 1, one.default // 2, one.min, one.max, 1, 400]
    return next(value for value in candidates if usable(one, value))


def usable(one, value):
    if value is None or not (one.min <= value <= one.max) or not one.weakens(one.default, value):
        return False
    try:
        return one.check is None or one.check(value) is None
    except Exception:
        return False


def cannot_be_weaker(one):
    """Whether its default is the weakest of all values already."""
    if one.type is bool:
        return not one.weakens(one.default, not one.default)
    if one.type is int and not one.changing_needs_second_person:
        values = (one.min, one.max, one.default - 1, one.default + 1, 1)
        return not any(usable(one, value) for value in values)
    return False


@pytest.mark.parametrize(
    "key", sorted(key for key, one in declared_settings().items() if one.is_guarded)
)
def test_one_person_does_not_weaken_it(key):
    one = declared_settings()[key]
    actor = StaffFactory(is_superuser=True)
    StaffFactory(is_superuser=True)
    if cannot_be_weaker(one):
        # Made stronger first, as an installation would have it.
        stronger = (not one.default) if one.type is bool else one.max if not one.default else None
        if stronger is None:
            stronger = one.min if one.raising_needs_second_person else one.max
        SystemConfig.objects.create(key=key, value=stronger)
        value = one.default
    else:
        value = weaker_value(one)
    with pytest.raises(SecondPersonNeeded):
        change_settings(actor=actor, values={key: value}, reason="less work")


def test_lowering_waits_by_api(as_user):
    call_command("setup", verbosity=0)
    operator = StaffFactory(role="operator")
    for values in ({"privacy.export_days": 1}, {"messaging.stream_days": 1}):
        answer = as_user(operator).put(
            "/api/admin/config", values, format="json", headers={"Approval-Reason": "space"}
        )
        assert answer.status_code == 202
    assert not SystemConfig.objects.filter(key__in=["privacy.export_days"]).exists()


def test_without_a_reason_the_answer_says_where_it_goes(as_user):
    answer = as_user(StaffFactory(is_superuser=True)).put(
        "/api/admin/config", {"privacy.export_days": 1}, format="json"
    )
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], error["code"]) == ("reason", "required")
    assert "Approval-Reason" in error["detail"]


def test_raising_them_needs_nobody_else():
    actor = StaffFactory(is_superuser=True)
    change_settings(actor=actor, values={"privacy.export_days": 30, "messaging.stream_days": 90})
    assert SystemConfig.objects.count() == 2
