"""Of their own case staff see what a member sees: no notes on themselves, and no score."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from marketplace import services as market
from marketplace.tests import factories as shop
from riskops.links.notes import add_note
from riskops.scores.calculate import calculate_score
from riskops.tests.factories import confirmed
from support.models import AgentNotice, Category, Mailbox
from support.services import reply_as_staff
from support.services.catalogue import save_category
from support.services.mailboxes import save_mailbox
from support.tests.factories import make_agent, make_category, make_mailbox, make_ticket
from systemadmin.errors import OwnInterest
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
NOTE = "Zanzibar"


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)


def account_of(reader, whose):
    """An account that is the reader's own, confirmed as theirs, or somebody's."""
    if whose == "own":
        return reader
    return confirmed(reader, UserFactory()) if whose == "related" else UserFactory()


whose_case = pytest.mark.parametrize("whose", ["own", "related", "somebody's"])


def reads(whose, seen):
    """Nothing of one's own case, everything of somebody's."""
    assert seen == dict.fromkeys(seen, whose == "somebody's")


def a_dispute(buyer, noted_by):
    order = shop.paid(buyer=buyer)
    dispute = market.open_dispute(actor=buyer, order=order, reason="damaged", body="Broken")
    upload = SimpleUploadedFile("facts.txt", b"facts", "text/plain")
    note = market.add_dispute_message(
        actor=noted_by, dispute=dispute, body=NOTE, evidence=upload, is_internal=True
    )
    return dispute, note


@whose_case
def test_notes_in_a_dispute_are_not_for_its_parties(whose, as_user, admin_client_for):
    moderator = StaffFactory(role="marketplace_moderator")
    colleague = StaffFactory(role="marketplace_moderator")
    dispute, note = a_dispute(account_of(moderator, whose), colleague)
    client, browser = as_user(moderator), admin_client_for(moderator)
    url = f"/api/admin/disputes/{dispute.pk}"
    page = reverse("admin:marketplace_dispute_change", args=[dispute.pk])
    desk = reverse("admin:review_thing", args=["disputes", dispute.pk])
    answer = client.get(url).content.decode()
    assert "Broken" in answer
    reads(
        whose,
        {
            "answer": NOTE in answer,
            "file": client.get(f"{url}/messages/{note.pk}/evidence").status_code == 200,
            "page": NOTE in browser.get(page).content.decode(),
            "desk": NOTE in browser.get(desk, follow=True).content.decode(),
        },
    )


@whose_case
def test_no_ticket_of_ones_own_is_found_by_what_a_note_says(whose, as_user, admin_client_for):
    agent = StaffFactory(role="support_agent")
    ticket = make_ticket(account_of(agent, whose), subject="Lost parcel", body="Where is it?")
    reply_as_staff(actor=make_agent(), ticket=ticket, body=NOTE, internal=True)
    client, browser = as_user(agent), admin_client_for(agent)
    desk = reverse("admin:support_ticket_workspace")
    listed = reverse("admin:support_ticket_changelist")

    def found(word):
        return {
            "answer": client.get(f"/api/admin/tickets?search={word}").json()["results"] != [],
            "desk": ticket.number in browser.get(f"{desk}?q={word}").content.decode(),
            "list": ticket.number in browser.get(f"{listed}?q={word}").content.decode(),
            "search": ticket.number in browser.get(f"/admin/search/?q={word}").content.decode(),
        }

    reads(whose, found("zanzi"))
    reads("somebody's", found("parcel"))
    queue = browser.get(f"{desk}?queue=unassigned").content.decode()
    assert ticket.number in queue
    reads(whose, {"queue": NOTE in queue})


@whose_case
def test_nobody_is_sent_a_note_about_themselves(whose):
    agent = StaffFactory(role="support_agent", username="mentioned")
    ticket = make_ticket(account_of(agent, whose))
    reply_as_staff(actor=make_agent(), ticket=ticket, body=f"@mentioned {NOTE}", internal=True)
    reads(whose, {"notice": AgentNotice.objects.filter(user=agent, event="mentioned").exists()})


@whose_case
def test_notes_on_accounts_and_scores_are_not_for_their_owners(whose, as_user, admin_client_for):
    analyst = StaffFactory(role="risk_analyst")
    account = account_of(analyst, whose)
    note = add_note(actor=StaffFactory(role="risk_analyst"), account=account, body=NOTE)
    calculate_score(account=account, actor=None)
    client, browser = as_user(analyst), admin_client_for(analyst)
    url = f"/api/admin/users/{account.pk}/risk-score"
    pages = {
        "account": reverse("admin:riskops_account_change", args=[account.pk]),
        "note": reverse("admin:riskops_accountnote_change", args=[note.pk]),
        "score": reverse("admin:riskops_riskscore_change", args=[account.pk]),
    }
    reads(
        whose,
        {
            "answer": client.get(url).status_code == 200,
            "history": client.get(f"{url}/history").status_code == 200,
            "account": NOTE in browser.get(pages["account"]).content.decode(),
            "note": NOTE in browser.get(pages["note"]).content.decode(),
            "score": browser.get(pages["score"]).status_code == 200,
        },
    )
    if whose != "somebody's":
        problem(client.get(url), 403, "permission_denied")


# -- who reads a confined place -------------------------------------------------------------


def places():
    """A confined category and a confined mailbox, each with what changes it."""
    category = make_category("hr", is_confined=True)
    mailbox = make_mailbox(is_confined=True)

    def change_category(actor, **values):
        save_category(actor=actor, category=Category.objects.get(pk=category.pk), values=values)

    def change_mailbox(actor, **values):
        save_mailbox(actor=actor, mailbox=Mailbox.objects.get(pk=mailbox.pk), values=values)

    return [(category, change_category), (mailbox, change_mailbox)]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("whose", ["own", "related"])
def test_nobody_lets_themselves_read_a_confined_place(kind, whose):
    place, change = places()[kind]
    lead = StaffFactory(role="operator")
    with pytest.raises(OwnInterest):
        change(lead, readers=[account_of(lead, whose)])
    with pytest.raises(OwnInterest):
        change(lead, is_confined=False)
    place.refresh_from_db()
    assert place.is_confined
    assert not place.readers.exists()


@pytest.mark.parametrize("kind", [0, 1])
def test_nobody_lets_a_key_of_their_own_read_a_confined_place(kind):
    place, change = places()[kind]
    lead = StaffFactory(role="operator")
    made = create_service_key(
        actor=None, name="mine", owner=lead, permissions=["marketplace.view_order"]
    )
    with pytest.raises(OwnInterest):
        change(lead, readers=[made.key.account])
    assert not place.readers.exists()


@pytest.mark.parametrize("kind", [0, 1])
def test_the_trail_says_who_was_let_in_and_who_was_not_any_more(kind):
    _place, change = places()[kind]
    lead, first, second = (StaffFactory(role="operator") for _one in range(3))
    change(lead, readers=[first])
    change(lead, readers=[second])
    entry = AuditEntry.objects.order_by("-id").first()
    assert entry.metadata["readers_added"] == [{"id": second.pk, "name": second.username}]
    assert entry.metadata["readers_removed"] == [{"id": first.pk, "name": first.username}]
    # Who reads it anyway may open it to all, and stay its reader.
    change(second, readers=[second], is_confined=False)


@pytest.mark.parametrize("kind", ["category", "mailbox"])
def test_the_page_refuses_whoever_lets_themselves_in(kind, superuser, admin_client_for):
    """Superusers read everything, but name no related account of theirs."""
    place, _change = places()[kind == "mailbox"]
    browser = admin_client_for(superuser)
    url = reverse(f"admin:support_{kind}_change", args=[place.pk])
    form = browser.get(url).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {name: "" if value is None else value for name, value in data.items()}
    answer = browser.post(url, {**data, "readers": [superuser.pk]}, follow=True)
    assert "Somebody else has to decide it" in answer.content.decode()
    assert not place.readers.exists()
