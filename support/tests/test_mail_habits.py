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
