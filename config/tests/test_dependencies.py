"""Each package that is pinned has its reason written down, and no other."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
TRANSITIVE = "# What these need in turn"


def direct_pins(name):
    text = (ROOT / name).read_text().partition(TRANSITIVE)[0]
    return re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==", text, re.MULTILINE)


def test_every_direct_dependency_has_a_reason():
    documented = re.findall(r"^\| ([\w.-]+) \| ", (ROOT / "docs/dependencies.md").read_text(), re.M)
    documented = [name for name in documented if name != "package"]
    pinned = direct_pins("requirements.txt") + direct_pins("requirements-dev.txt")
    assert sorted(pinned) == sorted(documented)


def test_every_line_is_an_exact_pin():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9_.\-]+(\[[a-z,0-9]+\])?==[\w.]+", line), line


def test_nothing_is_pinned_twice():
    lines = [
        re.split(r"[\[=]", line)[0].lower().replace("_", "-")
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    ]
    assert len(lines) == len(set(lines))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def test_everything_imported_is_pinned():
    distributions = packages_distributions()
    normal = {name.lower().replace("_", "-") for name in direct_pins("requirements.txt")}
    with_dev = normal | {n.lower().replace("_", "-") for n in direct_pins("requirements-dev.txt")}
    missing = set()
    for package in ["config", "bench", *settings.ATALAYA_APPS]:
        for path in (ROOT / package).rglob("*.py"):
            is_dev = "tests" in path.parts or package == "bench"
            for module in imported(path):
                owners = {n.lower().replace("_", "-") for n in distributions.get(module, [])}
                allowed = with_dev if is_dev else normal | {"asgiref"}
                if owners and not owners & allowed:
                    missing.add((str(path.relative_to(ROOT)), module, *sorted(owners)))
    assert missing == set()
