"""What needs a moderator's eyes again, and what does not."""

import pytest

from marketplace.materiality import material_fields, text_change, text_is_material
from marketplace.search import product_words, words
from systemadmin.foundation.search_words import fold

BASE = {
    "category": 1,
    "kind": "product",
    "title": "Lamp of olive wood from Jaén",
    "description": "Turned by hand.",
    "price": 20_00,
    "currency": "EUR",
    "shipping_amount": 0,
    "images": [],
    "attributes": {"wood": "olive"},
}


def material(**proposed):
    return material_fields(BASE, proposed, price_percent=20, text_percent=10)


@pytest.mark.parametrize(
    ("change", "is_material"),
    [
        ({"price": 24_00}, False),
        ({"price": 24_01}, True),
        ({"price": 16_00}, False),
        ({"price": 15_99}, True),
        ({"shipping_amount": 5_00}, True),
        ({"title": "Lamp of olive wood from Jaen"}, False),
        ({"title": "Lamp of plastic made in a factory"}, True),
        ({"title": BASE["title"]}, False),
        ({"category": 2}, True),
        ({"currency": "USD"}, True),
        ({"images": ["https://x.example.test/1.png"]}, True),
        ({"attributes": {"wood": "pine"}}, True),
    ],
)
def test_one_field(change, is_material):
    assert bool(material(**change)) is is_material


def test_a_number_or_a_link_is_never_a_typo():
    long = "A phone in good state with its box and charger, model 12, unlocked. " * 3
    assert text_is_material(long, long.replace("model 12", "model 13", 1), 50)
    assert text_is_material(long, f"{long} www.elsewhere.example", 90)
    assert not text_is_material(long, long.replace("good", "god", 1), 10)


def test_long_texts_are_compared_by_word():
    text = "word " * 1000
    assert text_change(text, text + "more") < 0.01
    assert text_change(text, "other " * 1000) == 1


def test_search_words():
    assert fold("ÁRBOL Straße ñandú") == "arbol strasse nandu"
    assert words("Lámpara, lampara; LÁMPARA 12V!") == ["lampara", "12v"]
    assert product_words("Mesa", {"madera": "nogal", "alto": 70, "mesa": True})[:3] == [
        "mesa",
        "nogal",
        "70",
    ]


def test_compatibility_characters_fold_to_what_people_type():
    assert words("Radio 5 \u3393") == ["radio", "5", "ghz"]
    assert product_words("5 \u3393", {}) == words("5 GHz")
