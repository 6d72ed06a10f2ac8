"""Each sign of what a mail is, and of where it belongs, by itself."""

import pytest

from support.mail_threading import (
    AUTO_FIELDS,
    AUTO_MARKS,
    list_addresses,
    number_of_address,
    number_of_addresses,
    recognise,
    reply_address,
    wants_no_answer,
)

KEY = b"a key"
NUMBER = "T-2026-000123"
ANSWER = {"in-reply-to": "<1@there.example>"}
OTHER_ANSWER = {"references": "<1@there.example>"}


# -- the kind of a mail --------------------------------------------------------------------

# Fields and subject, each with one sign, and what the mail is by it.
SIGNS = [
    ({}, "Where is my order?", "message"),
    (ANSWER, "Re: Where is my order?", "message"),
    # Fields that only answering machines write.
    *(({name: "yes"}, "Hello", "auto_reply") for name in sorted(AUTO_FIELDS)),
    *(({name: " No "}, "Hello", "message") for name in sorted(AUTO_FIELDS)),
    *(({name: " Auto_Reply "}, "Hello", "auto_reply") for name in AUTO_MARKS),
    *(({name: "autoresponder"}, "Hello", "auto_reply") for name in AUTO_MARKS),
    ({"x-post-messageclass": " 9; Autoresponder"}, "Hello", "auto_reply"),
    ({"x-post-messageclass": "8"}, "Hello", "message"),
    # What says how it was submitted.
    ({"auto-submitted": "auto-replied"}, "Hello", "auto_reply"),
    ({"auto-submitted": "Auto-Replied (vacation)"}, "Hello", "auto_reply"),
    ({"auto-submitted": "auto-replied; owner=x"}, "Hello", "auto_reply"),
    ({"auto-submitted": "auto-replied", "reply-to": "ana@here.example"}, "Hello", "generated"),
    ({"auto-submitted": "auto-replied", "reply-to": "a@b.example", **ANSWER}, "Hi", "auto_reply"),
    ({"auto-submitted": "auto-generated"}, "Hello", "generated"),
    ({"auto-submitted": "auto-generated", **ANSWER}, "Hello", "auto_reply"),
    ({"auto-submitted": "auto-generated", **OTHER_ANSWER}, "Hello", "auto_reply"),
    ({"auto-submitted": "no"}, "Hello", "message"),
    ({"auto-submitted": "No; by hand"}, "Hello", "message"),
    ({"auto-submitted": "no (by hand)"}, "Hello", "message"),
    ({"auto-submitted": ""}, "Hello", "message"),
    # An empty path back: nobody is to answer.
    ({"return-path": " <> "}, "Hello", "generated"),
    ({"return-path": "<>", **ANSWER}, "Hello", "auto_reply"),
    ({"return-path": "<ana@here.example>"}, "Hello", "message"),
    # Lists and mass mail.
    ({"list-id": "<news.shop.example>"}, "Hello", "list"),
    ({"precedence": " List "}, "Hello", "list"),
    ({"precedence": "first-class"}, "Hello", "message"),
    *(({"precedence": word}, "Hello", "list") for word in ("bulk", "junk", "Bulk")),
    *(({"precedence": word, **ANSWER}, "Hello", "auto_reply") for word in ("bulk", "junk")),
    ({"precedence": "bulk", "list-post": "<mailto:l@x.example>", **ANSWER}, "Hello", "list"),
    ({"precedence": "bulk", "sender": "owner-news@x.example", **ANSWER}, "Hello", "list"),
    ({"precedence": "bulk", "sender": "ana@x.example", **ANSWER}, "Hello", "auto_reply"),
    # The subject, which a person may write too.
    ({}, "Automatic reply: Hello", "message"),
    (ANSWER, "Automatic reply: Hello", "auto_reply"),
    (ANSWER, "Automatic replies are a nuisance", "message"),
    ({}, "Automatic reply: Re: Hello", "auto_reply"),
    ({}, f"Automatic reply: [{NUMBER}] Hello", "auto_reply"),
    ({"x-auto-response-suppress": " All "}, "Automatic reply: Hello", "auto_reply"),
    ({"x-auto-response-suppress": "OOF"}, "Automatic reply: Hello", "message"),
    ({"x-auto-response-suppress": "All"}, "Hello", "message"),
    # A desk that confirms our mail.
    (
        {"x-auto-response-suppress": "OOF, All", "auto-submitted": "auto-generated"},
        "[Request received] Hello",
        "auto_reply",
    ),
    (
        {"x-auto-response-suppress": "OOF", "auto-submitted": "auto-generated"},
        "[Request received] Hello",
        "generated",
    ),
    ({"auto-submitted": "auto-generated"}, "[Request received] Hello", "generated"),
    (
        {"x-auto-response-suppress": "All", "auto-submitted": "auto-generated"},
        "Hello",
        "generated",
    ),
    ({"x-auto-response-suppress": "All"}, "[Request received] Hello", "message"),
    ({"x-auto-response-suppress": "All", "auto-submitted": ""}, "Request received: Hi", "message"),
    ({"x-auto-response-suppress": "All", "auto-submitted": "no"}, "Request received: x", "message"),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "subject", "kind"), SIGNS)
def test_each_sign_alone_tells_what_a_mail_is(headers, subject, kind):
    assert recognise(headers, subject) == kind


@pytest.mark.parametrize(
    ("said", "is_silent"),
    [("All", True), ("DR, OOF", True), ("AutoReply", True), ("none", False), ("", False)],
)
def test_who_asks_for_no_answer_gets_none(said, is_silent):
    assert wants_no_answer({"x-auto-response-suppress": said}, "message") is is_silent


@pytest.mark.parametrize("kind", ["auto_reply", "generated", "list"])
def test_programs_and_lists_get_no_answer(kind):
    assert wants_no_answer({}, kind)
    assert not wants_no_answer({}, "message")


# -- lists ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["list-post", "mailing-list", "x-beenthere"])
def test_a_list_names_its_address_in_one_of_three_fields(name):
    value = f"<mailto:News@Shop.example>, contact {name}"
    assert list_addresses({name: value}) == {"news@shop.example"}


def test_the_name_of_a_list_is_an_address_too():
    assert list_addresses({"list-id": "The news <News.Shop.example>"}) == {"news@shop.example"}
    both = {"list-id": "<news.shop.example>", "list-post": "<mailto:post@shop.example>"}
    assert list_addresses(both) == {"news@shop.example", "post@shop.example"}
    all_fields = {"list-post": "a@x.example", "mailing-list": "b@x.example"}
    assert list_addresses(all_fields) == {"a@x.example", "b@x.example"}


@pytest.mark.parametrize("headers", [{}, {"list-id": "news"}, {"list-id": "news.shop.example"}])
def test_what_names_no_address_is_none(headers):
    assert list_addresses(headers) == frozenset()


# -- the address of a ticket ---------------------------------------------------------------


def test_the_address_of_a_ticket_is_built_from_the_last_at_sign():
    made = reply_address('"help@night"@shop.example', NUMBER, KEY)
    assert made.startswith('"help@night"+t-2026-000123.')
    assert made.endswith("@shop.example")
    assert made == made.lower()
    assert number_of_address(made, KEY) == NUMBER


def test_the_first_address_that_we_gave_out_decides():
    ours = reply_address("help@shop.example", NUMBER, KEY)
    other = reply_address("help@shop.example", "T-2026-000124", KEY)
    forged = reply_address("help@shop.example", NUMBER, b"another key")
    assert number_of_addresses(["ana@here.example", forged, ours, other], KEY) == NUMBER
    assert number_of_addresses(["ana@here.example", forged], KEY) is None
