"""Names of choice sets in the OpenAPI schema: after the model and field that declare them.

Without it every second model with a `status` makes drf-spectacular invent a name. An app whose API
has choices that no model declares names them in `ENUMS` of its `enum_names.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings

from systemadmin.foundation.plugins import collect
from systemadmin.foundation.published_events import event_kinds

Choices = list[tuple[Any, str]]


class EnumNames(Mapping[str, Choices]):
    """Read by drf-spectacular as `ENUM_NAME_OVERRIDES`, once all models are loaded."""

    def __getitem__(self, name: str) -> Choices:
        return self._collect()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._collect())

    def __len__(self) -> int:
        return len(self._collect())

    def _collect(self) -> dict[str, Choices]:
        kinds = [(name, name) for name in event_kinds()]
        found: dict[str, Choices] = {"PublishedEventKindEnum": kinds}
        found |= dict(collect("enum_names", "ENUMS"))
        seen = {frozenset(choices) for choices in found.values()}
        for label in settings.ATALAYA_APPS:
            for model in apps.get_app_config(label).get_models():
                for field in model._meta.get_fields():
                    choices = [
                        (value, str(title))
                        for value, title in getattr(field, "flatchoices", None) or ()
                        if value not in ("", None)
                    ]
                    # A set that two models share keeps the name of the first.
                    if choices and frozenset(choices) not in seen:
                        seen.add(frozenset(choices))
                        found[_name(model.__name__, field.name, found)] = choices
        return found


def _name(model: str, field: str, taken: Mapping[str, Any]) -> str:
    name = model + "".join(part.capitalize() for part in field.split("_"))
    return f"{name}Enum" if f"{name}Enum" not in taken else f"{name}Enum{len(taken)}"
