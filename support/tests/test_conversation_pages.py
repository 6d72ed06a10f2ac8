"""A conversation of any length and any markup costs no more than a page of it."""

import sys

import pytest

from support.markdown import MARKS_PER_PAGE, MARKS_PER_TEXT, render_markdown, render_page
from support.querysets.replies import CHARACTERS_PER_PAGE, REPLIES_PER_PAGE
from support.services import reply_as_customer, reply_as_staff
from support.tests.factories import make_ticket

HOSTILE = [
    "![",
    "[[",
    "*a ",
    "_a_ ",
    "- a\n",
    "1. a\n",
    "a|b\n-|-\n",
    "~~a",
    "\\",
    "`a",
    "<a ",
    "\n\na",
]


def count_steps(act):
    """Return how many calls of Python and C functions an act makes, however busy the machine."""
    steps = 0

    def count(_frame, _event, _argument):
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_page_of_hostile_texts_takes_a_bounded_number_of_steps(pattern):
    text = (pattern * 50_000)[:50_000]
    steps = count_steps(lambda: render_page([text, (pattern * 1_000)[:3_000]] * 50))
    # The worst of these takes 7 million, half a second; without bounds it was 21 seconds.
    assert steps < 12_000_000


def test_text_with_too_much_markup_keeps_its_words_and_lines():
    text = "*a*\n" * (MARKS_PER_TEXT + 1)
    html = render_markdown(text)
    assert html.count("*a*<br>") == MARKS_PER_TEXT
    assert "<em>" not in html


def test_text_shown_without_markup_is_escaped():
    html = render_markdown("<script>alert(1)</script>" * 2000)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2000


def test_the_last_texts_of_a_page_keep_their_markup():
    one = "*a* " * 500
    pages = render_page([one] * 20)
    rendered = MARKS_PER_PAGE // 1000
    assert ["<em>" in page for page in pages] == [False] * (20 - rendered) + [True] * rendered


@pytest.fixture
def long_ticket(member):
    ticket = make_ticket(member)
    for number in range(REPLIES_PER_PAGE + 4):
        reply_as_customer(ticket=ticket, author=member, body=f"reply {number:03}")
    return ticket


def bodies(rows):
    return [row["body"] for row in rows]


def test_a_ticket_holds_the_last_page_and_the_rest_is_paged(as_user, member, long_ticket):
    client = as_user(member)
    whole = [f"reply {number:03}" for number in range(REPLIES_PER_PAGE + 4)]
    answer = client.get(f"/api/tickets/{long_ticket.pk}").json()
    assert bodies(answer["replies"]) == whole[-REPLIES_PER_PAGE:]
    assert answer["has_earlier_replies"] is True
    seen, url = [], f"/api/tickets/{long_ticket.pk}/replies?page_size=50"
    while url:
        page = client.get(url).json()
        seen += bodies(page["results"])
        url = page["next"]
    assert seen[:-1] == whole[::-1]
    assert seen[-1] == "It has not arrived."


def test_a_member_pages_through_no_internal_note(as_user, member, staff):
    ticket = make_ticket(member)
    reply_as_staff(
        actor=staff("support_agent"), ticket=ticket, body="for colleagues", internal=True
    )
    rows = as_user(member).get(f"/api/tickets/{ticket.pk}/replies").json()["results"]
    assert bodies(rows) == ["It has not arrived."]
    rows = as_user(staff("support_agent")).get(f"/api/admin/tickets/{ticket.pk}/replies").json()
    assert bodies(rows["results"]) == ["for colleagues", "It has not arrived."]


def test_another_members_conversation_is_not_found(as_user, other_member, member):
    ticket = make_ticket(member)
    assert as_user(other_member).get(f"/api/tickets/{ticket.pk}/replies").status_code == 404


def test_long_replies_end_the_page_earlier(as_user, member):
    ticket = make_ticket(member)
    for _ in range(14):
        reply_as_customer(ticket=ticket, author=member, body="x" * 50_000)
    answer = as_user(member).get(f"/api/tickets/{ticket.pk}").json()
    assert len(answer["replies"]) == 1 + CHARACTERS_PER_PAGE // 50_000
    assert answer["has_earlier_replies"] is True


def test_staff_read_back_to_the_first_reply(admin_client_for, staff, long_ticket):
    client = admin_client_for(staff("support_agent"))
    url = f"/admin/support/ticket/{long_ticket.pk}/change/"
    page = client.get(url)
    first = page.context["replies"][0][0]
    assert first.body == "reply 004"
    assert f"?before={first.pk}" in page.content.decode()
    earlier = client.get(url, {"before": first.pk})
    assert [reply.body for reply, _html, _original in earlier.context["replies"]][-1] == "reply 003"
    assert not earlier.context["has_earlier_replies"]
    assert client.get(url, {"before": "x'"}).status_code == 200


def test_a_subject_holds_no_control_character(as_user, member):
    subject = {"subject": "a\x1b[31mb\u2028c", "body": "x"}
    assert as_user(member).post("/api/tickets", subject).json()["subject"] == "a [31mb c"
