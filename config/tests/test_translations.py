"""Spanish is complete: every marked text has its translation, and placeholders agree.

English is the language of the code and has no catalogue.
"""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

ROOT = Path(settings.BASE_DIR)
PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|%d|\{\w*\}")
ENTRY = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*(?:\n".*")*)', re.M)


def entries(path):
    """Yield (msgid, [translations], flags) of a .po file."""
    for block in path.read_text(encoding="utf-8").split("\n\n")[1:]:
        fields = {name: "".join(re.findall(r'"(.*)"', text)) for name, text in ENTRY.findall(block)}
        if fields.get("msgctxt"):
            fields["msgid"] = f"{fields['msgctxt']}\x04{fields['msgid']}"
        if fields.get("msgid") and not block.startswith("#~"):
            texts = [text for name, text in fields.items() if name.startswith("msgstr")]
            yield fields["msgid"], texts, "fuzzy" in block.split("msgid")[0]


def test_every_text_is_translated_with_the_same_placeholders():
    path = ROOT / "locale/es/LC_MESSAGES/django.po"
    wrong = []
    for source, texts, is_fuzzy in entries(path):
        if is_fuzzy or not all(texts):
            wrong.append(source)
        elif len(texts) == 1 and sorted(PLACEHOLDER.findall(source)) != sorted(
            PLACEHOLDER.findall(texts[0])
        ):
            wrong.append(f"placeholders: {source}")
    assert wrong == []


def test_the_spanish_tour_calls_things_as_the_pages_do():
    path = ROOT / "locale/es/LC_MESSAGES/django.po"
    shown = {text.casefold() for _, texts, _ in entries(path) for text in texts}
    tour = (ROOT / "docs/recorrido.md").read_text(encoding="utf-8")
    named = [" ".join(name.split()) for name in re.findall(r"(?<!\*)\*([^*]+)\*", tour)]
    assert len(named) > 15
    assert [name for name in named if name.casefold() not in shown] == []


def unescaped(text):
    """Return a text of the .po file as the code writes it."""
    signs = {"n": "\n", "t": "\t"}
    return re.sub(r"\\(.)", lambda found: signs.get(found[1], found[1]), text)


def marked_texts(source):
    """Yield the texts that a module marks for translation.

    Also those that makemessages does not see: inside an f-string, or marked by another name.
    """
    simple = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
            simple |= {one.asname for one in node.names if one.asname and one.name in simple}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        said = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
        if node.func.id in simple and said and isinstance(said[0], str):
            yield said[0]
        if node.func.id in {"pgettext", "pgettext_lazy"} and len(said) == 2:
            yield "\x04".join(said)


def test_marked_texts_are_found_wherever_they_stand():
    source = """
from django.utils.translation import gettext_lazy as _later
f"{_('one')}: {ngettext('two', 'twos', n)}", pgettext("month", "three"), _(name), _later("four")
"""
    assert sorted(marked_texts(source)) == ["four", "month\x04three", "one", "two"]


@pytest.mark.slow
def test_no_marked_text_is_missing_from_the_files():
    """What the code marks for translation is what the Spanish file holds."""
    known = {
        unescaped(source)
        for source, _texts, _fuzzy in entries(ROOT / "locale/es/LC_MESSAGES/django.po")
    }
    missing = set()
    for app in [*settings.ATALAYA_APPS, "config"]:
        for path in (ROOT / app).rglob("*.py"):
            if "tests" in path.parts or "migrations" in path.parts:
                continue
            missing |= set(marked_texts(path.read_text(encoding="utf-8"))) - known
    assert missing == set()


def test_compiled_files_are_current():
    folder = ROOT / "locale/es/LC_MESSAGES"
    with open(folder / "django.mo", "rb") as handle:
        catalog = gettext.GNUTranslations(handle)
    simple = [
        (source, texts[0])
        for source, texts, _fuzzy in entries(folder / "django.po")
        if len(texts) == 1 and "\\" not in source
    ]
    assert len(simple) > 1000
    assert [source for source, text in simple if catalog.gettext(source) != text] == []


def test_a_problem_speaks_the_callers_language(db, api):
    answer = api.get("/api/auth/me", HTTP_ACCEPT_LANGUAGE="es").json()
    with translation.override("es"):
        assert answer["title"] != "Authentication credentials were not provided."
