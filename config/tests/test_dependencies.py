"""Each package that is pinned has its reason written down, and no other."""

import ast
import re
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from django.conf import settings
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
                pin, _semicolon, _marker = line.partition(";")
                assert re.fullmatch(r"[A-Za-z0-9_.\-]+(\[[a-z,0-9]+\])?==[\w.]+", pin), line


def needed(name, environment, extras=frozenset(), seen=None):
    """The names of all that a package brings along with one Python."""
    seen = set() if seen is None else seen
    for line in requires(name) or []:
        one = Requirement(line)
        wanted = [{**environment, "extra": extra} for extra in ("", *extras)]
        if one.marker and not any(one.marker.evaluate(where) for where in wanted):
            continue
        found = (canonicalize_name(one.name), frozenset(one.extras))
        if found not in seen:
            seen.add(found)
            if any(other.name == one.name for other in PINS if other.marker is None):
                needed(one.name, environment, one.extras, seen)
    return {name for name, _extras in seen}


PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if "==" in line and not line.startswith("#")
]


# Debian 12, the container, Ubuntu 24.04.
@pytest.mark.parametrize("version", ["3.11.2", "3.11.14", "3.12.3"])
def test_every_install_is_the_same_with_each_python_that_the_manual_names(version):
    environment = {
        **default_environment(),
        "python_version": version.rpartition(".")[0],
        "python_full_version": version,
    }
    pinned = {
        canonicalize_name(pin.name)
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    for pin in PINS:
        if pin.marker is None:
            assert needed(pin.name, environment, pin.extras) <= pinned, pin.name


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
                # `packaging` is pinned among what others need; only this module imports it.
                allowed = with_dev | {"packaging"} if is_dev else normal | {"asgiref"}
                if owners and not owners & allowed:
                    missing.add((str(path.relative_to(ROOT)), module, *sorted(owners)))
    assert missing == set()
