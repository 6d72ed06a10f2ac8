"""Templates are recognised however they are dressed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.content_checks import fingerprint
from systemadmin.foundation.testing import processor_seconds


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
    mark = fingerprint(text)
    assert mark is None or -(2**63) <= mark < 2**63


@pytest.mark.parametrize(
    "piece", [" ", "\n", "( ", "[ .", "a.", "www.", "a-", "http://", "a@", "http://a.", "dot ", "."]
)
def test_any_text_is_checked_in_linear_time(piece):
    text = piece * (200_000 // len(piece))
    assert processor_seconds(lambda: fingerprint(text)) < 1
