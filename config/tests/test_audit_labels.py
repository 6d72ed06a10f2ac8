"""Every action that the code writes into the audit trail has words for people."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

from systemadmin.audit_labels import ACTION_WORDS, action_label, things

ROOT = Path(settings.BASE_DIR)
APPS = tuple(settings.ATALAYA_APPS)


def recorded():
    """Yield each action that is written out as an argument of `audit.record` or as `action=`."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if {"tests", "migrations"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                given = [word.value for word in node.keywords if word.arg == "action"]
                if isinstance(node.func, ast.Attribute) and node.func.attr == "record":
                    given += node.args[:1]
                for value in given:
                    text = getattr(value, "value", None)
                    if isinstance(text, str) and text.startswith(APPS) and text.count(".") == 2:
                        yield text


def test_every_action_of_the_code_has_words():
    found = set(recorded())
    assert len(found) > 100
    assert sorted(action for action in found if action_label(action) == action) == []


@pytest.mark.parametrize(
    ("action", "english", "spanish"),
    [
        ("marketplace.order.paid", "Order · paid", "Pedido · pagar"),
        ("systemadmin.user.suspended", "Account · suspended", "Cuenta · suspender"),
    ],
)
def test_an_action_is_said_in_the_readers_language(action, english, spanish):
    from django.utils.translation import override

    assert action_label(action) == english
    with override("es"):
        assert action_label(action) == spanish


def test_an_unknown_action_stays_as_it_is():
    assert action_label("other.thing.done") == "other.thing.done"
    assert action_label("") == ""
    assert len(things()) > 60
    assert len(ACTION_WORDS) > 60
