"""The generated half of the client is what the schema says, whole and usable."""

import dataclasses
import importlib
import inspect
import typing
from pathlib import Path

import pytest
from django.conf import settings

from config.client import Client
from config.client.base import Model
from config.client.group import Group
from config.client_generator.package import generate, write
from config.client_generator.schema import operations, read_schema

GENERATED = Path(settings.BASE_DIR) / "config" / "client" / "generated"


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }


def test_the_client_is_generated_from_the_schema_of_today(tmp_path):
    write(tmp_path, generate())
    fresh, kept = files_of(tmp_path), files_of(GENERATED)
    stale = {name for name in fresh | kept if fresh.get(name) != kept.get(name)}
    assert stale == set(), "run manage.py generate_client"


def test_every_operation_but_the_stream_has_a_method():
    client = Client("https://atalaya.test")
    groups = [
        group
        for holder in (client, client.admin)
        for group in vars(holder).values()
        if isinstance(group, Group)
    ]
    methods = [f for group in groups for name, f in vars(type(group)).items() if name[0] != "_"]
    assert len(methods) == len(list(operations(read_schema())))


@pytest.mark.parametrize("module", sorted(path.stem for path in GENERATED.glob("models/*.py")))
def test_every_annotation_of_an_answer_can_be_resolved(module):
    found = importlib.import_module(f"config.client.generated.models.{module}")
    for _name, kind in inspect.getmembers(found, inspect.isclass):
        if issubclass(kind, Model) and kind is not Model:
            assert set(typing.get_type_hints(kind)) == {
                field.name for field in dataclasses.fields(kind)
            }
