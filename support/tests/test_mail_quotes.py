# ruff: noqa: E501 - quotes as mail programs write them, one on each line
"""Folding: only in answers, only what is surely a quote, and nothing of it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.mail_bodies import Context, cut_quotes

OWN = "support@atalaya.test"
ANSWER = Context(is_reply=True, own={OWN})
FIRST = Context(own={OWN})

# client and language → text; the new words are always those before the quote.
QUOTES = {
    "Gmail, en": "On Mon, 4 May 2026 at 10:00, Support <support@atalaya.test> wrote:\n\n> old\n> old",
    "Gmail, es": "El lun, 4 may 2026 a las 10:00, Soporte (<support@atalaya.test>)\nescribió:\n\n> viejo",
    "Gmail, tagged": "On 4 May 2026, S <support+t-2026-000001.abc@atalaya.test> wrote:\n> old",
    "Apple, fr": "Le 4 mai 2026 à 10:00, Aide <support@atalaya.test> a écrit :\n\n> ancien",
    "Apple, de": "Am 04.05.2026 um 10:00 schrieb Hilfe <support@atalaya.test>:\n\n> alt",
    "Thunderbird, it": "Il 04/05/26 10:00, Aiuto ha scritto:\n> vecchio",
    "Thunderbird, pt": "Em 04/05/2026 10:00, Ajuda escreveu:\n> antigo",
    "Gmail, nl": 'Op 4 mei 2026 10:00 schreef "Hulp" <support@atalaya.test> het\nvolgende geschreven:\n\n> oud',
    "Gmail, pl": "pon., 4 maj 2026 o 10:00 Pomoc <support@atalaya.test> napisał(a):\n\n> stare",
    "Yahoo, quoted heading": "> On 4 May 2026 at 10:00 Help <support@atalaya.test> wrote:\n>\n> old",
    "date, name, address": "2026-05-04 10:00 GMT+02:00 Help <support@atalaya.test>:\n\n> old",
    "Outlook, en": "From: Support <support@atalaya.test>\nSent: Monday, 4 May 2026 10:00\nTo: Ana\nSubject: Order\n\nold",
    "Outlook, sv": "Från: Stöd [mailto:support@atalaya.test]\nSkickat: den 5 juni 2026 12:22\nTill: a@a.test\nÄmne: Order\n\ngammal",
    "Outlook, old": "-----Original Message-----\nFrom: Support\nSent: Monday, 4 May 2026\nTo: Ana\nSubject: Order\n\nold",
    "our mark": "El soporte escribió:\n> ##- ✂ -##\n> viejo",
}  # fmt: skip


@pytest.mark.parametrize("name", QUOTES)
def test_an_answer_shows_what_is_new(name):
    assert (
        cut_quotes(f"Thanks, it works.\nBye\n\n{QUOTES[name]}", ANSWER) == "Thanks, it works.\nBye"
    )


WORDS = {
    "a seller's words": "Hola,\n\nEl vendedor me escribió:\n\nNo te devuelvo nada.\n\nQuiero mi dinero.",
    "with a date": "El 3 de mayo a las 10:00 el vendedor me escribió:\n\nNada.\n\nQuiero mi dinero.",
    "a seller's mail": "On 3 May 2026, Shop <shop@other.test> wrote:\n> No refund.\n\nIs that right?",
    "pasted header": "From: Shop <shop@other.test>\nSent: 3 May 2026\nTo: Ana\nSubject: No\n\nNo refund.",
    "pasted header, tr": "Bakın.\n\n-----Özgün İleti-----\nKimden: Shop <shop@other.test>\nGönderildi: 3 Mayıs 2026\nKime: Ana\nKonu: Yok\n\nİade yok.",
    "pasted, unknown": "Look.\n\n-----Original Message-----\nXyz: Shop <shop@other.test>\nAbc: Ana\n\nNo refund.",
    "error output": "The app says:\n\n> Error 500\n> code XK-9",
    "dashes": "Paquete uno: llegó.\n--\nPaquete dos: roto, mándenme otro.",
    "a sentence like a mark": "Ayuda.\n\nEnviado desde mi cuenta antigua el pago de 50 euros, no consta.",
    "answers between": "On 4 May 2026, Support <support@atalaya.test> wrote:\n> Size?\nLarge.\n> Colour?\nBlue.",
    "forward": "---------- Forwarded message ---------\nFrom: Support <support@atalaya.test>\n\nWhat is this?",
}  # fmt: skip


@pytest.mark.parametrize("context", [ANSWER, FIRST], ids=["answer", "first"])
@pytest.mark.parametrize("name", WORDS)
def test_what_may_be_the_senders_words_stays(name, context):
    assert cut_quotes(WORDS[name], context) == WORDS[name]


@pytest.mark.parametrize("name", ["Outlook, old", "Thunderbird, it"])
def test_a_first_mail_is_whole(name):
    text = f"Look at this.\n\n{QUOTES[name]}"
    assert cut_quotes(text, FIRST) == text


def test_a_forward_is_whole():
    text = f"Look at this.\n\n{QUOTES['Gmail, en']}"
    assert cut_quotes(text, Context(is_reply=True, is_forward=True, own={OWN})) == text


@pytest.mark.parametrize(
    "mark", ["-- \nAna Paz\nCalle Mayor 1", "--\nAna Paz", "Enviado desde mi iPhone",
             "Sent from my Samsung Galaxy smartphone.", "Get Outlook for iOS\n"]
)  # fmt: skip
def test_signatures_of_answers_are_folded(mark):
    if mark.startswith("Get"):
        mark = "Get Outlook for Android"
    assert cut_quotes(f"It works.\n\n{mark}", ANSWER) == "It works."
    assert cut_quotes(f"It works.\n\n{mark}", FIRST) == f"It works.\n\n{mark}"


@given(st.text(alphabet="ab >\n-:_@2", max_size=200), st.booleans())
def test_folding_never_invents(text, is_reply):
    kept = cut_quotes(text, Context(is_reply=is_reply, own={OWN}))
    assert bool(kept) == bool(text.strip())
    assert set(kept.split("\n")) - {""} <= {line.strip() for line in text.split("\n")} | set(
        text.split("\n")
    ) | set(text.strip().split("\n"))
