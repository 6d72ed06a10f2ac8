"""Every kind of raw mail people's software really sends, and what is made of it."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mail_bodies import cut_quotes, decode_text
from support.mail_html import html_to_text
from support.mail_parsing import UnparsableMail, parse_mail
from support.mail_threading import number_of_address, reply_address, signature

CORPUS = Path(__file__).parent / "mail"
KEY = b"a key for tests"

# name → subject, text, kind; what is None is not looked at here
EXPECTED = {
    "plain": ("Where is my order?", "Hello,\n\nmy order has not arrived.\nThanks", "message"),
    "alternative": ("Petición de envío", "El envío está perdido.", "message"),
    "html_only": (
        "HTML only",
        "First line\nsecond & third\n- one\n- two\nSee this page <https://example.com/x>",
        "message",
    ),
    "html_placeholder": ("Placeholder", "The real text.", "message"),
    "attachments": ("With files", "See the files.", "message"),
    "inline_image": ("Inline image", "Look: [screenshot]", "message"),
    "charset_lies_utf8_as_ascii": ("Pequeño problema", "El niño comió aún más.", "message"),
    "charset_lies_latin1_as_utf8": ("Pequeño problema", "El niño comió aún más.", "message"),
    "charset_unknown": ("café", "café", "message"),
    "charset_not_a_charset": ("Odd codec", "keep \\u0041 as it is", "message"),
    "charset_cyrillic": ("Привет", "Где мой заказ?", "message"),
    "charset_chinese": ("订单", "我的订单在哪里？", "message"),
    "nul_and_surrogates": ("AB", None, "message"),
    "broken_base64": ("Cut off", None, "message"),
    "missing_boundary": ("No boundary", None, "message"),
    "no_message_id": ("No id at all", "Plain old text.", "message"),
    "no_from": ("Nobody", "Who am I?", "message"),
    "quoted_gmail": (None, "It arrived, thank you!", "message"),
    "quoted_outlook": (None, "Sigue sin llegar.", "message"),
    "quoted_html": (None, "Sigue sin llegar.", "message"),
    "bottom_posted": (None, "No, that was all.", "message"),
    "inline_answers": (
        None,
        "On 2 March 2026, Support wrote:\n> Which size?\n\nLarge.\n\n> Which colour?\n\nBlue.",
        "message",
    ),
    "forwarded": ("Fwd: Strange mail", None, "message"),
    "forwarded_attached": ("See attached mail", "This came today.", "message"),
    "calendar": (
        "Invitation: call",
        "Summary: Call about the order\nDtstart: 20260303T100000\nLocation: Calle Mayor 1, Madrid",
        "message",
    ),
    "bounce": ("Undelivered Mail Returned to Sender", None, "bounce"),
    "bounce_headers_only": ("Undeliverable: hello", "Failed.", "bounce"),
    "auto_reply_vacation": ("Fuera de la oficina", "Vuelvo el lunes.", "auto_reply"),
    "auto_reply_exchange": (None, "I am away.", "auto_reply"),
    "loop": (None, "Our own words, back again.", "message"),
    "mailing_list": ("Newsletter", "Ten offers of the week.", "list"),
    "sent_from_phone": ("Ayuda", "No puedo entrar.\n\nEnviado desde mi iPhone", "message"),
    "huge_headers": (None, "long", "message"),
}


def parse(name):
    return parse_mail((CORPUS / f"{name}.eml").read_bytes())


def test_every_mail_of_the_corpus_is_expected():
    assert {path.stem for path in CORPUS.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_reads(name):
    subject, text, kind = EXPECTED[name]
    mail = parse(name)
    assert mail.kind == kind
    if subject is not None:
        assert mail.subject == subject
    if text is not None:
        assert mail.text == text
    assert "\x00" not in mail.full_text + mail.subject
    mail.full_text.encode()  # a half character could not be stored


def test_who_when_and_where():
    mail = parse("plain")
    assert mail.sender == "ana@example.com"
    assert mail.sender_name == "Ana García"
    assert mail.recipients == ("support@atalaya.test",)
    assert mail.sent_at == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
    assert mail.message_id == "plain@example.com"


def test_files_come_with_their_names():
    files = parse("attachments").attachments
    assert [f.name for f in files] == ["fotografía.png", '../../etc/passwd"; x.exe', "notes.txt"]
    assert files[0].content.startswith(b"\x89PNG")
    assert parse("inline_image").attachments[0].content_id == "pic1"


def test_an_attached_mail_is_a_file_not_part_of_the_text():
    mail = parse("forwarded_attached")
    assert mail.message_id == "fwdatt@example.com"
    assert mail.attachments[0].name == "You won.eml"
    assert b"password" in mail.attachments[0].content


def test_a_forwarded_mail_is_kept_whole():
    assert "Send us your password." in parse("forwarded").text


def test_what_cannot_be_decoded_is_still_there():
    assert parse("nul_and_surrogates").text.startswith("beforeafter")
    assert parse("broken_base64").text.startswith("Hello there")
    assert "inside" in parse("missing_boundary").text


def test_a_wrong_date_is_no_date():
    mail = parse("no_message_id")
    assert mail.sent_at is None
    assert mail.message_id == ""


def test_the_message_answered_comes_first():
    assert parse("quoted_gmail").references == (
        "t-2026-000123.7.abc@atalaya.test",
        "first@example.com",
    )
    assert len(parse("huge_headers").references) <= 50


@pytest.mark.parametrize("name", ["bounce", "bounce_headers_only"])
def test_a_bounce_names_the_mail_that_failed(name):
    assert parse(name).failed_message_ids == ("t-2026-000123.9.xyz@atalaya.test",)


@pytest.mark.parametrize("name", ["bounce", "auto_reply_vacation", "mailing_list"])
def test_no_automatic_answer_to_what_is_no_person(name):
    assert parse(name).wants_no_answer


def test_an_answer_to_a_person():
    assert not parse("plain").wants_no_answer


@pytest.mark.parametrize("raw", [b"", b"   \n ", b"\x00\x01\x02 nothing here", b"just text\n"])
def test_refuses_what_is_no_mail(raw):
    with pytest.raises(UnparsableMail):
        parse_mail(raw)


def test_refuses_a_part_bomb():
    deep = b"From: a@b.test\nSubject: x\n"
    for level in range(400):
        deep += b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (level, level)
    with pytest.raises(UnparsableMail):
        parse_mail(deep + b"\nend\n")


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_read_or_refused(raw):
    for candidate in (raw, b"From: a@b.test\nSubject: " + raw, b"From: a@b.test\n\n" + raw):
        try:
            mail = parse_mail(candidate)
        except UnparsableMail:
            continue
        (mail.subject + mail.full_text + mail.sender + mail.sender_name).encode()
        assert "\x00" not in mail.subject + mail.full_text


@given(st.sampled_from(sorted(EXPECTED)), st.integers(0, 3000), st.binary(min_size=1, max_size=5))
@settings(deadline=None, max_examples=200)
def test_damage_in_transit_is_survived(name, at, noise):
    raw = (CORPUS / f"{name}.eml").read_bytes()
    at %= len(raw)
    with contextlib.suppress(UnparsableMail):
        parse_mail(raw[:at] + noise + raw[at + len(noise) :]).full_text.encode()


class TestAddressTag:
    def test_the_address_given_out_is_known_again(self):
        address = reply_address("support@atalaya.test", "T-2026-000123", KEY)
        assert number_of_address(address, KEY) == "T-2026-000123"
        assert number_of_address(address.upper(), KEY) == "T-2026-000123"

    def test_a_guessed_one_is_not(self):
        address = reply_address("support@atalaya.test", "T-2026-000123", KEY)
        assert number_of_address(address.replace("000123", "000124"), KEY) is None
        assert number_of_address("support+t-2026-000123@atalaya.test", KEY) is None
        assert number_of_address(address, b"another key") is None

    def test_numbers_do_not_share_a_signature(self):
        assert signature("T-2026-000123", KEY) != signature("T-2026-000124", KEY)


@pytest.mark.parametrize("charset", [None, "", "x-none", "base64", "rot13", "undefined", "utf-16"])
@given(data=st.binary())
def test_any_charset_gives_text(charset, data):
    decode_text(data, charset).encode()


@given(st.text())
def test_any_html_gives_text(text):
    html_to_text(text).encode()
    html_to_text(f"<div class=gmail_quote><p>{text}</div></div></blockquote>")


@given(st.text(alphabet="ab >\n-:_", max_size=200))
def test_cutting_never_invents(text):
    kept = cut_quotes(text)
    assert kept in text
    assert bool(kept) == bool(text.strip())
