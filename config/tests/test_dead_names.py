"""No function or class is left that nothing names: what is used is named somewhere else."""

import ast
import re
from collections import Counter
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("config", *settings.ATALAYA_APPS)
# What only tests or migrations call, and what drf-spectacular finds by its base class.
ALLOWED = {
    "BearerScheme",
    "CreateModels",
    "PlatformTokenScheme",
    "ServiceKeyScheme",
    "SessionScheme",
    "allowed_from",
    "client_network",
    "first_window",
    "forget_statistics",
    "forget_status",
    "format_minutes",
    "level_of",
    "next_reversal",
}


def sources():
    """Code, templates and configuration, without tests and migrations."""
    for package in (*PACKAGES, "bench", "docs", "templates", "static"):
        for path in (ROOT / package).rglob("*"):
            inner = path.relative_to(ROOT).parts
            if path.suffix in {".py", ".html", ".js", ".toml"} and not {
                "tests",
                "migrations",
                "vendor",
            } & set(inner):
                yield path
    yield ROOT / "pyproject.toml"


def definitions(tree):
    """Module-level functions and classes that no decorator registers."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list:
            yield node.name


def test_every_function_and_class_is_named_somewhere_else():
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    named = Counter(word for text in texts.values() for word in re.findall(r"\w+", text))
    dead = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in texts.items()
        if path.suffix == ".py" and path.parts[len(ROOT.parts)] in PACKAGES
        for name in definitions(ast.parse(text))
        if named[name] == 1 and name not in ALLOWED and not is_found_by_name(path, name)
    ]
    assert not dead, "delete them, with their tests:\n" + "\n".join(dead)


def is_found_by_name(path, name):
    """Return whether a framework finds it (commands, applications), or tests are its callers."""
    return name == "Command" or path.name in {"apps.py", "testing.py"}


def test_every_measurement_that_runs_with_the_others_is_a_script():
    source = (ROOT / "bench" / "all.py").read_text()
    names = re.findall(r"Measurement\(\s*\"(\w+)\"", source)
    assert len(names) > 5
    assert [name for name in names if not (ROOT / "bench" / f"{name}.py").is_file()] == []
