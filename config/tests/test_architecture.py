"""Rules of the house that no linter sees."""

import ast
import importlib.util
import re
import runpy
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.utils.module_loading import import_string

from config.tests.routes import api_routes
from systemadmin.foundation import configuration, plugins
from systemadmin.foundation.api import BaseViewSet
from systemadmin.roles import ROLE_TITLES

FLOOR = {"systemadmin": 0, "riskops": 1, "support": 2, "marketplace": 2, "messaging": 2}
ROOMS = re.compile(r"(utils|helpers|common)\.py$")


def test_foreign_keys_go_down_only():
    climbing = []
    for model in apps.get_models():
        app = model._meta.app_label
        if app not in FLOOR:
            continue
        for field in model._meta.get_fields():
            target = getattr(field, "related_model", None)
            if not field.concrete or target is None or target == "self":
                continue
            label = target._meta.app_label
            if label != app and label in FLOOR and FLOOR[label] >= FLOOR[app]:
                climbing.append(f"{model.__name__}.{field.name} -> {target.__name__}")
    assert climbing == []


def test_every_api_action_declares_its_access():
    silent = [
        f"{method} {path}"
        for method, path, view, action in api_routes()
        if not issubclass(view, BaseViewSet)
        or (action not in view.access and "default" not in view.access)
    ]
    assert silent == []


def test_every_admin_action_names_its_permission():
    silent = []
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label not in FLOOR:
            continue
        for action in model_admin.actions or []:
            function = getattr(model_admin, action) if isinstance(action, str) else action
            named = getattr(function, "allowed_permissions", None)
            if not named or (named == ["perm"] and not getattr(function, "perm", None)):
                silent.append(f"{model.__name__}.{action}")
    assert silent == []


def test_every_scheduled_task_can_be_imported():
    for schedule in plugins.collect("schedules", "SCHEDULES"):
        assert callable(import_string(schedule.task)), schedule.name


def test_task_paths_written_as_strings_exist():
    """`enqueue("app.tasks.name")` written as text is checked here, for no import does."""
    pattern = re.compile(r'"((?:{})\.tasks(?:\.\w+)+)"'.format("|".join(settings.ATALAYA_APPS)))
    for path in project_files():
        for name in pattern.findall(path.read_text(encoding="utf-8")):
            assert callable(import_string(name)), f"{path}: {name}"


def project_files():
    for app in [*settings.ATALAYA_APPS, "config"]:
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            if "migrations" not in path.parts:
                yield path


def decorators_of(function):
    """Return the names of a function's decorators from top to bottom."""
    named = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return [d.attr if isinstance(d, ast.Attribute) else d.id for d in named]


def test_decorators_of_services_stand_in_one_order():
    """Who may decide is asked first, then whether two have to, and inside is the transaction."""
    order = ["decides", "needs_second_person", "atomic"]
    checked = []
    for path in project_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found = [order.index(name) for name in decorators_of(node) if name in order]
                assert found == sorted(found), f"{path}: {node.name}"
                checked += [node.name] if len(found) > 1 else []
    assert len(checked) > 50


def test_no_room_without_a_name():
    assert [str(path) for path in project_files() if ROOMS.search(path.name)] == []


def test_settings_have_defaults_within_their_own_bounds():
    from systemadmin.services.configuration import check_value

    wrong = {
        key: check_value(setting, setting.default)
        for key, setting in configuration.declared_settings().items()
        if check_value(setting, setting.default)
    }
    assert wrong == {}


def test_permissions_are_declared_for_shipped_roles_only():
    assert set(plugins.role_permissions()) <= set(ROLE_TITLES)


def test_role_permissions_exist(db):
    from django.contrib.auth.models import Permission

    known = {
        f"{app}.{codename}"
        for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }
    missing = {
        role: sorted(permissions - known)
        for role, permissions in plugins.role_permissions().items()
        if permissions - known
    }
    assert missing == {}


@pytest.mark.parametrize("app", settings.ATALAYA_APPS)
def test_the_foundation_queue_is_the_only_door_to_django_q(app):
    offenders = [
        str(path)
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py")
        if re.search(r"^(from|import) django_q", path.read_text(encoding="utf-8"), re.M)
        and "foundation" not in path.parts
        and "tests" not in path.parts
    ]
    assert offenders == []
    assert importlib.util.find_spec(app) is not None


def test_the_picture_shows_the_code_as_it_is():
    drawing = runpy.run_path(str(settings.BASE_DIR / "docs/draw_architecture.py"))
    assert drawing["PICTURE"].read_text() == drawing["draw"](), (
        "run: python docs/draw_architecture.py"
    )


def test_the_table_of_extension_modules_is_whole():
    """Every module that `collect()` or `modules()` looks for is a row, and no other is."""
    asked = set()
    for path in project_files():
        if "tests" not in path.parts:
            source = path.read_text(encoding="utf-8")
            asked |= set(re.findall(r'\b(?:collect|modules)\(\s*"(\w+)"', source))
    page = (Path(settings.BASE_DIR) / "docs/architecture.md").read_text(encoding="utf-8")
    table = page.partition("| module | offers |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)\.py`", table, re.M)) == asked


# What an admin object may keep between requests, with the reason.
KEPT_BY_ADMIN = {
    # Counts that are the same for everybody who may see the page.
    ("riskops/admin/realtime_decisions.py", "_made"),
}


def own_targets(statement):
    """The attributes of `self` that a statement writes."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return {
        one.attr
        for one in targets
        if isinstance(one, ast.Attribute) and getattr(one.value, "id", "") == "self"
    }


def test_no_admin_object_remembers_a_request():
    """One admin object serves the requests of all threads: what one leaves there, another reads."""
    kept = set()
    for path in sorted(settings.BASE_DIR.glob("*/admin/*.py")):
        for method in ast.walk(ast.parse(path.read_text())):
            is_method = isinstance(method, ast.FunctionDef) and method.name != "__init__"
            if is_method and {"self", "request"} <= {one.arg for one in method.args.args}:
                name = path.relative_to(settings.BASE_DIR).as_posix()
                statements = (node for node in ast.walk(method) if isinstance(node, ast.stmt))
                kept |= {(name, attr) for one in statements for attr in own_targets(one)}
    assert kept == KEPT_BY_ADMIN
