"""The documentation is complete where it promises to be."""

import re
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
READS = r"os\.(?:environ\.get\(|environ\[|getenv\()\s*[\"']([A-Z0-9_]+)"
# Variables that libraries read, with the module that does.
OF_LIBRARIES = {
    "Q_CLUSTER_NAME": "django_q.conf",
    "AWS_ACCESS_KEY_ID": "botocore.credentials",
    "AWS_SECRET_ACCESS_KEY": "botocore.credentials",
    "AWS_DEFAULT_REGION": "botocore.configprovider",
}


def test_every_environment_variable_is_documented_and_no_other():
    source = (ROOT / "config" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', source))
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.M))
    read |= OF_LIBRARIES.keys()
    assert read - documented == set(), "read but not documented"
    assert documented - read == set(), "documented but not read"
    for name, module in OF_LIBRARIES.items():
        assert name in Path(find_spec(module).origin).read_text(encoding="utf-8"), name


def test_no_other_module_reads_the_environment():
    """The page lists what settings.py reads; a variable read elsewhere would be missing there."""
    readers = set()
    for app in ("config", *settings.ATALAYA_APPS):
        for path in (ROOT / app).rglob("*.py"):
            if "tests" in path.parts or path.name == "settings.py":
                continue
            names = re.findall(READS, path.read_text(encoding="utf-8"))
            readers |= {f"{path.relative_to(ROOT)}: {name}" for name in names}
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    # NOTIFY_SOCKET is how systemd says where it listens; nobody sets it by hand.
    known = {"PYTHONPATH", "NOTIFY_SOCKET", *re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.M)}
    # Django's own names for what the two commands about accounts do not ask with --noinput.
    known |= {f"DJANGO_SUPERUSER_{name}" for name in ("USERNAME", "EMAIL", "PASSWORD")}
    assert {one for one in readers if one.rpartition(" ")[2] not in known} == set()


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


def test_no_page_holds_two_versions_of_a_paragraph():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    marks = ("<<<<<<< ", ">>>>>>> ")
    found = [page.name for page in pages for line in page.read_text().splitlines()
             if line.startswith(marks) or line == "======="]  # fmt: skip
    assert found == []
