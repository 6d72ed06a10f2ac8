"""Habits of mail programs: notices of absence, reports of delay, signatures, forwards."""

import pytest

from support.mail_forwards import read_forward
from support.mail_parsing import parse_mail
from support.tests.mail_texts import mail

ANSWERS = "<t-2026-000001.0123456789abcdef01234567@atalaya.test>"


@pytest.mark.parametrize(
    "subject",
    [
        "Out of office Re: Your order",
        "Message d'absence : Re: commande",
        "Absent : Re: commande",
        "Ausência temporária: Pedido",
        "Fora do escritório: Pedido",
        "Fuera de la oficina Re: Pedido",
        "Mensaje automático: Pedido",
        "Estoy de vacaciones: Re: Pedido",
        "Bob Smith is out of the office.",
        "Bob ist außer Haus (Rückkehr am 4.5.)",
    ],
)
def test_notices_of_absence(subject):
    assert parse_mail(mail("Away", subject=subject, answers=ANSWERS)).kind == "auto_reply"


@pytest.mark.parametrize(
    "subject", ["Re: Bob is out of the office", "Estoy de vacaciones y no llega", "Re: Absent : x"]
)
def test_a_person_who_writes_about_absence(subject):
    assert parse_mail(mail("Hola", subject=subject, answers=ANSWERS)).kind == "message"


def test_a_delay_that_google_reports_is_no_failure():
    sender = "Mail Delivery Subsystem <mailer-daemon@googlemail.com>"
    for subject, is_failure in (("(Delay)", False), ("(Failure)", True)):
        subject = f"Delivery Status Notification {subject}"
        read = parse_mail(mail("Address x", subject=subject, sender=sender))
        assert (read.kind, read.is_failure) == ("bounce", is_failure)


@pytest.mark.parametrize(
    "line",
    [
        "Holen Sie sich Outlook für Android<https://aka.ms/AAb9ysg>",
        "Télécharger Outlook pour Android<https://aka.ms/AAb9ysg>",
        "Obter o Outlook para iOS<https://aka.ms/o0ukef>",
        "Enviado desde Correo para Windows",
    ],
)
def test_lines_that_a_device_adds(line):
    assert (
        parse_mail(mail(f"Gracias\n\n{line}", subject="Re: x", answers=ANSWERS)).text == "Gracias"
    )
    assert line in parse_mail(mail(f"Gracias\n\n{line}")).text


def test_the_line_that_outlook_draws_above_a_quote():
    quote = ("Von: Help <support@atalaya.test>\nGesendet: Montag, 4. Mai 2026 10:00\n"
             "An: ana@x.test\nBetreff: Bestellung\n\nalt")  # fmt: skip
    raw = mail(f"Danke\n\n{'_' * 32}\n{quote}", subject="AW: x", answers=ANSWERS)
    assert parse_mail(raw).text == "Danke"


@pytest.mark.parametrize(
    "text",
    [
        "-------- Weitergeleitete Nachricht --------\nBetreff: \tBestellung\n"
        "Datum: \tMon, 4 May 2026\nVon: \tAna Ruiz <ana@c.test>\nAn: \tagent@a.test\n\nWo",
        "-------- Mensaje reenviado --------\nAsunto: \tBestellung\nFecha: \tMon, 4 May 2026\n"
        "De: \tAna Ruiz <ana@c.test>\nPara: \tagent@a.test\n\nWo",
    ],
    ids=["de", "es"],
)
def test_forwards_of_thunderbird_name_the_subject_first(text):
    found = read_forward("Fwd: Bestellung", text)
    assert (found.address, found.subject, found.text) == ("ana@c.test", "Bestellung", "Wo")


FORWARDS = {
    "fr": ("Message transféré", "Sujet : \tPanier\nDate : \t4 mai\nDe : \t{}\nPour : \tag@a.test"),
    "it": ("Messaggio Inoltrato", "Oggetto: \tLampada\nData: \tlu\nMittente: \t{}\nA: \tag@a.test"),
    "hu": ("Továbbított üzenet", "Feladó: {}\nDátum: hétfő\nCímzett: ag@a.test\nTárgy: Lámpa"),
    "ro": ("Forwarded message", "De la: {}\nDate: luni\nSubject: Lampa\nTo: ag@a.test"),
    "uk": ("Переслане повідомлення", "Тема: Лампа\nДата: пн\nВід: {}\nКому: ag@a.test"),
    "cs": ("Přeposlaná zpráva", "Předmět: Lampa\nDatum: po\nOd: {}\nKomu: ag@a.test"),
    "ja": ("転送メッセージ", "送信元：{}\n日付：月曜日\n件名：ランプ\n送信先：ag@a.test"),
}  # fmt: skip


@pytest.mark.parametrize("language", FORWARDS)
def test_forwards_in_more_languages(language):
    mark, fields = FORWARDS[language]
    block = fields.format("Ana Ruiz <ana@c.test>")
    found = read_forward("x", f"Please.\n\n---------- {mark} ----------\n{block}\n\nNew words")
    assert (found.address, found.text, found.above) == ("ana@c.test", "New words", "Please.")


def test_the_line_above_an_introduction_is_the_writers():
    answers = [
        "Thanks, it works.\nOn Mon, 4 May 2026 at 10:00, Some One wrote:\n> old",
        "It works!\nHelp <support@atalaya.test> wrote:\n> old",
    ]
    for text in answers:
        shown = parse_mail(mail(text, subject="Re: x", answers=ANSWERS)).text
        assert shown == text.split("\n", maxsplit=1)[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"X_List": "help"},
        {"Sender": "help-bounce@group.test"},
        {"Sender": "owner-help@group.test"},
        {"Mailing_List": "contact help-help@group.test; run by ezmlm"},
    ],
)
def test_an_answer_on_an_old_list_is_a_persons(fields):
    raw = mail("I can", subject="Re: Lamp", answers="<1@x.test>", Precedence="bulk", **fields)
    assert parse_mail(raw).kind == "list"


def test_a_program_that_answers_in_bulk_is_none():
    raw = mail("Away", subject="Re: Lamp", answers="<1@x.test>", Precedence="bulk",
               List_Unsubscribe="<https://x.test/u>")  # fmt: skip
    assert parse_mail(raw).kind == "auto_reply"


class TestOtherDesks:
    """Zendesk writes these fields into every mail."""

    fields = {"Auto_Submitted": "auto-generated", "X_Auto_Response_Suppress": "All",
              "X_Mailer": "Zendesk Mailer", "sender": "Shop <support@shop.zendesk.com>",
              "reply_to": "Shop <support+id7@shop.zendesk.com>"}  # fmt: skip

    @pytest.mark.parametrize(
        "subject",
        ["[Request received] [T-2026-000001] Lamp", "[Solicitud recibida] Lamp",
         "[Anfrage erhalten] Lamp", "Request received: Lamp"],
    )  # fmt: skip
    def test_their_confirmations_are_automatic(self, subject):
        assert parse_mail(mail("Received.", subject=subject, **self.fields)).kind == "auto_reply"

    def test_what_they_write_of_their_own_accord_opens_a_ticket(self):
        read = parse_mail(mail("We need your invoice.", subject="Invoice", **self.fields))
        assert (read.kind, read.wants_no_answer) == ("generated", True)

    def test_a_form_of_a_site_that_confirms_in_its_subject_is_a_persons(self):
        raw = mail("Hola", subject="Solicitud recibida: lámpara", reply_to="lola@a.test",
                   sender="noreply@shop.test", Auto_Submitted="auto-generated")  # fmt: skip
        read = parse_mail(raw)
        assert (read.kind, read.reply_to) == ("generated", "lola@a.test")
