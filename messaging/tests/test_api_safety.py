"""Blocks, privacy, quotas, content checks, reports: every refusal is a clear problem."""

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.models import Block, Message, MessageReport
from messaging.tests.factories import at_risk, old_member, send
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry, User
from systemadmin.services import suspend_user
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def write(client, recipient, body="Hola", **extra):
    return client.post("/api/messages", {"recipient": recipient.pk, "body": body, **extra})


# -- blocks and privacy --------------------------------------------------------------


def test_a_blocked_member_cannot_write_and_does_not_learn_why(marta, oscar):
    write(oscar, marta.user)
    Message.objects.all().delete()
    response = marta.post("/api/messages/blocks", {"user": oscar.user.pk})
    assert response.status_code == 201
    refused = problem(write(oscar, marta.user), 403, "messages_not_accepted")
    assert "block" not in refused["detail"].lower()
    assert not Message.objects.exists()


def test_whoever_blocks_does_not_write_either(marta, oscar):
    marta.post("/api/messages/blocks", {"user": oscar.user.pk})
    problem(write(marta, oscar.user), 409, "recipient_blocked_by_you")


def test_blocks_are_listed_and_removed(marta, oscar):
    write(oscar, marta.user)
    marta.post("/api/messages/blocks", {"user": oscar.user.pk})
    marta.post("/api/messages/blocks", {"user": oscar.user.pk})
    listed = marta.get("/api/messages/blocks").json()
    assert listed["count"] == 1
    assert listed["results"][0]["user"]["username"] == "oscar"
    assert oscar.get("/api/messages/blocks").json()["count"] == 0
    assert marta.delete(f"/api/messages/blocks/{oscar.user.pk}").status_code == 204
    problem(marta.delete(f"/api/messages/blocks/{oscar.user.pk}"), 404)
    assert write(oscar, marta.user).status_code == 201
    assert AuditEntry.objects.filter(action="messaging.member.blocked").count() == 1


def test_nobody_blocks_themselves(marta):
    problem(marta.post("/api/messages/blocks", {"user": marta.user.pk}), 400, field="user")
    assert not Block.objects.exists()


@pytest.mark.parametrize(
    ("choice", "status"), [("everyone", 201), ("verified", 403), ("contacts", 403), ("nobody", 403)]
)
def test_members_choose_who_may_write(marta, oscar, choice, status):
    write(oscar, marta.user)
    marta.put("/api/messages/preferences", {"who_may_write": choice})
    assert marta.get("/api/messages/preferences").json()["who_may_write"] == choice
    assert write(oscar, marta.user).status_code == status


def test_contacts_are_those_one_has_written_to(marta, oscar):
    marta.put("/api/messages/preferences", {"who_may_write": "contacts"})
    write(marta, oscar.user)
    assert write(oscar, marta.user).status_code == 201


def test_verified_members_reach_whoever_wants_verified_ones(marta, as_user):
    marta.put("/api/messages/preferences", {"who_may_write": "verified"})
    assert write(as_user(old_member()), marta.user).status_code == 201


def test_wrong_preferences_are_named(marta):
    problem(
        marta.put("/api/messages/preferences", {"who_may_write": "x"}), 400, field="who_may_write"
    )
    problem(
        marta.put("/api/messages/preferences", {"notice_delay_minutes": 0}),
        400,
        field="notice_delay_minutes",
    )


# -- standing ------------------------------------------------------------------------


def test_suspended_accounts_read_but_do_not_write(as_user, other_member, member, superuser):
    letter = send(other_member, member)
    suspend_user(actor=superuser, user=member, reason="fraud")
    member.refresh_from_db()
    client = as_user(member)
    problem(write(client, other_member), 403, "account_suspended")
    assert client.get("/api/messages/conversations").status_code == 200
    assert client.post(f"/api/messages/{letter.pk}/read").status_code == 200


def test_the_service_itself_refuses_suspended_senders(other_member, member, superuser):
    from messaging.errors import SenderSuspended

    suspend_user(actor=superuser, user=member, reason="fraud")
    member.refresh_from_db()
    with pytest.raises(SenderSuspended):
        send(member, other_member)


def test_a_closed_account_receives_nothing(marta, oscar):
    write(oscar, marta.user)
    User.objects.filter(pk=oscar.user.pk).update(is_active=False)
    problem(write(marta, oscar.user), 409, "recipient_unavailable")


# -- quotas --------------------------------------------------------------------------


def test_the_third_message_in_a_minute_is_429_with_the_wait(marta, other_member, quotas):
    assert [write(marta, other_member, f"{n}").status_code for n in range(2)] == [201, 201]
    response = write(marta, other_member, "tres")
    body = problem(response, 429, "message_quota_exceeded")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert "q=2;w=60" in response["RateLimit-Policy"]
    assert body["limit"] == 2
    assert Message.objects.count() == 2


def test_a_retry_of_a_sent_message_costs_no_quota(marta, other_member, quotas):
    ask = {"client_id": "a1"}
    statuses = [write(marta, other_member, "uno", **ask).status_code for _ in range(4)]
    assert statuses == [201, 200, 200, 200]


@pytest.mark.parametrize(
    ("days", "verified", "minutes", "sent"),
    [(0, False, 30, 4), (10, False, 30, 5), (60, True, 30, 9)],
)
def test_quotas_follow_trust(as_user, other_member, quotas, days, verified, minutes, sent):
    now = timezone.now()
    sender = UserFactory(
        date_joined=now - timedelta(days=days), verified_at=now if verified else None
    )
    client = as_user(sender)
    accepted = 0
    for number in range(9):
        # Two minutes apart, so that only the ten-minute window can fill up.
        accepted += write(client, other_member, f"n{number}").status_code == 201
        Message.objects.filter(sender=sender).update(
            created_at=timezone.now() - timedelta(seconds=61)
        )
    assert accepted == sent


def test_risky_accounts_get_the_smallest_quota(as_user, other_member, quotas):
    client = as_user(at_risk(old_member(), "critical"))
    assert [write(client, other_member, f"{n}").status_code for n in range(2)] == [201, 429]


# -- content -------------------------------------------------------------------------


def test_new_accounts_link_only_to_those_who_wrote_to_them(marta, oscar):
    problem(write(marta, oscar.user, "mira https://x.example"), 409, "link_not_allowed")
    write(oscar, marta.user, "Hola")
    assert write(marta, oscar.user, "mira https://x.example").status_code == 201


def test_an_edit_does_not_smuggle_a_link_in(marta, oscar):
    sent = write(marta, oscar.user, "mira esto").json()
    response = marta.post(f"/api/messages/{sent['id']}/edit", {"body": "mira evil.com"})
    problem(response, 409, "link_not_allowed")


def test_standing_accounts_may_link_up_to_the_limit(as_user, other_member):
    client = as_user(old_member())
    assert write(client, other_member, "https://a.example").status_code == 201
    many = " ".join(f"https://a{n}.example" for n in range(6))
    problem(write(client, other_member, many), 409, "too_many_links")


def test_one_text_to_many_members_is_stopped(as_user):
    client = as_user(UserFactory())
    text = "Compra ya nuestras camisetas de oferta, {} euros!!"
    recipients = [UserFactory() for _ in range(3)]
    answers = [write(client, user, text.format(n)) for n, user in enumerate(recipients)]
    assert [a.status_code for a in answers] == [201, 201, 409]
    problem(answers[-1], 409, "repeated_content")
    assert write(client, recipients[0], text.format(9)).status_code == 201, "same member is fine"


# -- reports -------------------------------------------------------------------------


def test_a_report_holds_exactly_the_excerpt(marta, oscar, member, other_member):
    for number in range(8):
        send(other_member, member, f"n{number}")
    bad = send(other_member, member, "págame fuera de aquí")
    send(other_member, member, "después")
    response = marta.post(
        f"/api/messages/{bad.pk}/report", {"reason": "fraud", "note": "me asusta"}
    )
    assert response.status_code == 201
    report = MessageReport.objects.get()
    bodies = [row["body"] for row in report.excerpt]
    assert bodies == ["n3", "n4", "n5", "n6", "n7", "págame fuera de aquí"]
    assert [row["is_reported"] for row in report.excerpt] == [False] * 5 + [True]
    assert report.reported == other_member
    oscar.post(f"/api/messages/{bad.pk}/edit", {"body": "nada"})
    report.refresh_from_db()
    assert report.excerpt[-1]["body"] == "págame fuera de aquí"


def test_one_report_a_member_and_message(marta, letter):
    assert marta.post(f"/api/messages/{letter.pk}/report", {"reason": "spam"}).status_code == 201
    again = marta.post(f"/api/messages/{letter.pk}/report", {"reason": "fraud"})
    problem(again, 409, "already_reported")


def test_nobody_reports_themselves(oscar, letter):
    response = oscar.post(f"/api/messages/{letter.pk}/report", {"reason": "spam"})
    problem(response, 409, "cannot_report")


def test_a_report_needs_a_known_reason(marta, letter):
    problem(marta.post(f"/api/messages/{letter.pk}/report", {"reason": "x"}), 400, field="reason")
