"""Links are found however they are written; templates are recognised however they are dressed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.content_checks import fingerprint, link_hosts, refused_host
from systemadmin.foundation.testing import processor_seconds


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("mira https://shop.example/x?y=1 y dime", ["shop.example"]),
        ("HTTP://WWW.Evil.Example:8080/", ["evil.example"]),
        ("hxxps://evil.example", ["evil.example"]),
        ("entra en evil-shop.com ya", ["evil-shop.com"]),
        ("evil   \n [ .\t]  com", ["evil.com"]),
        ("evil[.]com y evil (dot) com", ["evil.com", "evil.com"]),
        ("ev\u200bil.com", ["evil.com"]),
        ("ｅｖｉｌ.com", ["evil.com"]),
        ("https://bank.example@evil.example/login", ["evil.example"]),
        ("(see www.evil.example).", ["evil.example"]),
        ("dos: a.com, b.net", ["a.com", "b.net"]),
    ],
)
def test_links_are_found(text, hosts):
    assert link_hosts(text) == hosts


@pytest.mark.parametrize(
    "text",
    [
        "Precio: 3.5 kg a 12.50",
        "adjunto foto.jpg y factura.pdf",
        "e.g. mañana, i.e. pronto",
        "escribe a ana@correo.com",
        "final.Empieza otra",
        "...",
    ],
)
def test_ordinary_text_has_no_links(text):
    assert link_hosts(text) == []


def test_a_refused_domain_covers_what_is_under_it_and_nothing_else():
    refused = ["Evil.example", "www.bad.com"]
    assert refused_host(["login.evil.example"], refused) == "login.evil.example"
    assert refused_host(["bad.com"], refused) == "bad.com"
    assert refused_host(["notevil.example", "evil.example.org"], refused) is None


def test_dressing_a_template_changes_nothing():
    one = fingerprint("Hola Ana!! Gana 500€ hoy en https://evil.com/a1 ¡no esperes más!")
    two = fingerprint(
        "hola ana, gana 900 € HOY en evil.com -- no esperes mas".replace("mas", "más")
    )
    assert one == two
    assert one is not None


def test_another_host_is_another_text():
    text = "Visita esta tienda tan bonita https://{}/ con ofertas"
    assert fingerprint(text.format("uno.com")) != fingerprint(text.format("dos.com"))


def test_short_greetings_are_not_templates():
    assert fingerprint("Hola, ¿sigue disponible?") is None


@given(st.text(max_size=300))
def test_any_text_is_taken_and_fits_a_signed_big_integer(text):
    assert isinstance(link_hosts(text), list)
    mark = fingerprint(text)
    assert mark is None or -(2**63) <= mark < 2**63


@pytest.mark.parametrize(
    "piece", [" ", "\n", "( ", "[ .", "a.", "www.", "a-", "http://", "a@", "http://a.", "dot ", "."]
)
def test_any_text_is_checked_in_linear_time(piece):
    text = piece * (200_000 // len(piece))
    assert processor_seconds(lambda: refused_host(link_hosts(text), ["evil.com"])) < 1
    assert processor_seconds(lambda: fingerprint(text)) < 1
