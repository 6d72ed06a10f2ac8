"""Every word that a reader sees finds its ticket, however it was written."""

import unicodedata
from html import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import search
from support.models import Faq, Ticket, TicketSearch, TicketSearchPart
from support.services import merge_tickets, open_ticket, reply_as_staff, save_faq
from support.services.indexing import reindex
from support.tests.factories import make_agent, make_mailbox, make_ticket
from support.tests.mail_texts import mail, multipart, receive
from systemadmin.foundation.search_words import findable_words, fold
from systemadmin.foundation.testing import rolled_back

UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u2063"


class TestWords:
    def test_case_and_accents_do_not_matter(self):
        assert search.distinct("¿Dónde está mi Envío, Señor Nuñez?") == [
            "donde", "esta", "mi", "envio", "senor", "nunez",
        ]  # fmt: skip

    def test_a_number_can_be_searched(self):
        assert search.asked("T-2026-000123") == ["t", "2026", "000123"]

    @pytest.mark.parametrize("sign", UNSEEN)
    def test_what_nobody_sees_divides_no_word(self, sign):
        assert search.distinct(f"zana{sign}horia") == ["zanahoria"]

    def test_combining_accents_are_accents(self):
        assert search.distinct(unicodedata.normalize("NFD", "Canción")) == ["cancion"]

    def test_vowel_signs_belong_to_their_words(self):
        assert len(search.distinct("हिन्दी भाषा")) == 2

    @given(st.text())
    def test_folding_twice_changes_nothing(self, text):
        assert fold(fold(text)) == fold(text)

    @given(st.lists(st.text()), st.text())
    def test_extending_is_the_same_as_starting_with_both(self, first, second):
        rows = search.extended([], search.distinct(*first))
        assert search.extended(rows, search.distinct(second)) == [search.document(*first, second)]

    @given(st.text())
    def test_a_document_holds_single_spaces_only(self, text):
        stored = search.document(text)
        assert stored == " ".join(stored.split())

    @given(st.text(alphabet=st.characters(codec="utf-8")))
    def test_words_fit_the_index_of_postgresql(self, text):
        for word in findable_words(text):
            assert 0 < len(word.encode()) <= 2046
            assert not set(word) & set(" '\\")

    def test_rows_are_bounded(self, monkeypatch):
        monkeypatch.setattr(search, "MAX_ROW", 20)
        monkeypatch.setattr(search, "MAX_ROWS", 3)
        rows = search.extended([], [f"word{number:02d}" for number in range(20)])
        assert rows == [
            " ".join(f"word{at:02d}" for at in range(start, start + 2)) for start in (0, 2, 4)
        ]
        assert search.extended(rows, ["moreandmore"]) == rows


def found(query):
    return list(Ticket.objects.found_by(query))


@pytest.mark.django_db
class TestTickets:
    @pytest.mark.parametrize(
        ("text", "asked"),
        [
            ("我想退货因为商品坏了", ["退货", "商品坏", "了", "商品"]),
            ("注文番号を教えてください", ["番号", "教えて", "ください"]),
            ("주문번호를 알려주세요", ["번호", "주문", "려주세"]),
            ("ขอคืนเงินค่าสินค้า", ["คืนเงิน", "สินค้า"]),
            ("iPhone15を返品したい", ["iphone15", "返品"]),
            ("ﾃﾞﾝﾜ番号", ["デンワ"]),
        ],
        ids=["zh", "ja", "ko", "th", "mixed", "half width"],
    )
    def test_some_characters_of_a_text_without_spaces(self, member, text, asked):
        ticket = make_ticket(member, body=text)
        for query in asked:
            assert found(query) == [ticket], query
        assert found("無関係") == []

    @pytest.mark.slow
    def test_a_word_after_all_others_is_found(self, member, agent):
        words = [f"w{number:06x}" for number in range(50_000)]
        ticket = make_ticket(member, subject="Cucurucho")
        for start in range(0, len(words), 6_000):
            text = " ".join(words[start : start + 6_000])
            reply_as_staff(actor=agent, ticket=ticket, body=text, internal=True)
        reply_as_staff(actor=agent, ticket=ticket, body="zanahoria", internal=True)
        make_ticket(member, body="zanahoria")
        assert TicketSearchPart.objects.filter(ticket=ticket).exists()
        for query in ("w00c34f", "w00c34f cucurucho w000001", "zanahoria cucurucho"):
            assert found(query) == [ticket], query
        assert Ticket.objects.found_by("zanahoria").count() == 2
        assert found("zanahoria w00ffff") == []

    def test_long_words_of_any_script_fill_no_row_of_the_index(self, member):
        words = "".join(chr(0x4E00 + at * 7 % 20_000) for at in range(60_000))
        ticket = open_ticket(
            actor=None, requester=member, subject="s", body="b", original_text=words
        )
        assert found(words[-3:]) == [ticket]
        rows = TicketSearch.objects.values_list("document", flat=True)
        parts = TicketSearchPart.objects.values_list("document", flat=True)
        assert all(len(row.encode()) <= search.MAX_ROW for row in (*rows, *parts))

    def test_merging_and_starting_over_keep_the_words(self, member, agent, monkeypatch):
        monkeypatch.setattr(search, "MAX_ROW", 60)
        source = make_ticket(member, body="first second third fourth fifth 注文番号を教えて")
        target = make_ticket(member, body="sixth seventh eighth ninth tenth")
        merge_tickets(actor=agent, source=source, into=target)
        assert target in found("seventh fifth 番号")
        reindex(target)
        assert found("番号 seventh fifth") == [target]

    def test_questions_and_answers(self, agent):
        values = {"question": "退货怎么办", "answer": "联系我们", "language": "es"}
        save_faq(actor=agent, values={**values, "is_published": True})
        assert Faq.objects.found_by("怎么").count() == 1


LETTERS = st.sampled_from("abcdefghijklmnñopqrstuvwxyzáéüçßøżабвгдежз")
WORDS = st.one_of(
    st.text(LETTERS, min_size=3, max_size=12),
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA0), min_size=3, max_size=8),
    st.text(st.characters(min_codepoint=0x3041, max_codepoint=0x3094), min_size=3, max_size=8),
    st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=3, max_size=8),
)


@st.composite
def written(draw):
    """A word as a reader sees it, and as it may be written in text and in HTML."""
    word = draw(WORDS)
    at = draw(st.integers(1, len(word) - 1))
    sign = draw(st.sampled_from(["", *UNSEEN]))
    form = draw(st.sampled_from(["NFC", "NFD"]))
    first, second = (unicodedata.normalize(form, piece) for piece in (word[:at], word[at:]))
    middle = draw(st.sampled_from([sign, "<wbr>", "&shy;", "&#8203;", "<b></b>", "<!-- x -->"]))
    html = f"<i>{escape(first)}</i>{middle}<span>{escape(second)}</span>"
    return word, f"{first}{sign}{second}", html


@given(st.lists(written(), min_size=1, max_size=8), st.lists(written(), min_size=1, max_size=8))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.django_db
def test_every_word_of_text_and_html_parts_is_found(as_user, in_text, in_html):
    """By its beginning or, in scripts without spaces, by any two characters; and it is shown."""
    text = " ".join(one[1] for one in in_text)
    html = " ".join(one[2] for one in in_html)
    with rolled_back():
        client = as_user(make_agent(username="agent"))
        message = receive(
            make_mailbox(),
            multipart(
                ("Content-Type: text/plain; charset=utf-8", text),
                ("Content-Type: text/html; charset=utf-8", f"<p>{html}</p>"),
            ),
        )
        make_ticket(None, requester_email="other@a.test", body="nothing")
        for word, _text, _html in (*in_text, *in_html):
            is_unspaced = ord(word[0]) >= 0x3041
            for query in (word, word[:3], word[-2:] if is_unspaced else word):
                assert found(query) == [message.ticket], query
        reply = client.get(f"/api/admin/tickets/{message.ticket_id}").json()["replies"][0]
        shown = "".join(fold(reply["original_text"] or reply["body"]).split())
        for word, _text, _html in (*in_text, *in_html):
            assert fold(word) in shown


@pytest.mark.django_db
def test_a_word_of_a_plain_mail_written_with_a_soft_hyphen():
    message = receive(make_mailbox(), mail("Mi zana\u00adhoria"))
    assert found("zanahoria") == [message.ticket]
