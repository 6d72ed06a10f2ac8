"""The documentation is complete where it promises to be."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def test_every_environment_variable_is_documented_and_no_other():
    source = (ROOT / "config" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', source))
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.M))
    assert read - documented == set(), "read but not documented"
    assert documented - read == set(), "documented but not read"


def test_links_between_documents_lead_somewhere():
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_the_map_names_every_page():
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if page not in text} == set()


def test_the_guide_for_staff_calls_things_as_the_admin_does():
    text = re.sub(r"\s+", " ", (ROOT / "docs/staff.md").read_text())
    labels = set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text))
    catalogue = (ROOT / "locale/es/LC_MESSAGES/django.po").read_text()
    known = {found.casefold() for found in re.findall(r'^msgid "(.+)"$', catalogue, re.M)}
    assert len(labels) > 30
    assert {label for label in labels if label.casefold() not in known} == set()
