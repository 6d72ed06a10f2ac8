"""Strict list parameters: a misspelt name or a value of another type is a 400, no full list."""

from collections.abc import Callable, Iterator
from typing import Any

import django_filters as plain_filters
from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as django_filters
from django_filters.utils import get_model_field
from drf_spectacular.utils import extend_schema_field
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request

from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.foundation.parsing import (
    SMALLEST,
    Unreadable,
    parse_address,
    parse_day,
    parse_decimal,
    parse_line,
    parse_moment_or_day,
    parse_whole_number,
)
from systemadmin.foundation.personal_data import sees_personal_data, touches_personal_data
from systemadmin.foundation.references import SCHEMA, has_external_id, key_of, parse_reference

RESERVED = {"page", "page_size", "cursor", "ordering"}
LONGEST_TEXT = 300

Parse = Callable[[str], Any]


def _parse_flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Unreadable(_("True or false."))
    return text.lower() == "true"


def _parse_whole(text: str) -> int:
    return parse_whole_number(text, SMALLEST)


def _parse_text(text: str) -> str:
    return parse_line(text, LONGEST_TEXT)


# What a value of each kind of filter must be; the first that fits counts. Choices come with
# their own refusal of any other value.
_BY_FILTER: tuple[tuple[type[plain_filters.Filter], Parse | None], ...] = (
    (plain_filters.BooleanFilter, _parse_flag),
    (plain_filters.ModelMultipleChoiceFilter, _parse_whole),
    (plain_filters.ModelChoiceFilter, _parse_whole),
    (plain_filters.ChoiceFilter, None),
    (plain_filters.MultipleChoiceFilter, None),
    (plain_filters.IsoDateTimeFilter, parse_moment_or_day),
    (plain_filters.DateFilter, parse_day),
    (plain_filters.CharFilter, _parse_text),
)


def parser_of(declared: plain_filters.Filter, model: type[models.Model] | None) -> Parse | None:
    """Return what reads a filter's value, None for choices; `TypeError` for an unknown kind."""
    if isinstance(declared, ReferenceFilter):
        return parse_reference
    column = get_model_field(model, declared.field_name) if model and declared.field_name else None
    if isinstance(column, models.GenericIPAddressField) and declared.lookup_expr == "exact":
        return parse_address
    if isinstance(declared, plain_filters.NumberFilter):
        is_fraction = isinstance(column, models.DecimalField | models.FloatField)
        return parse_decimal if is_fraction else _parse_whole
    for kind, parse in _BY_FILTER:
        if isinstance(declared, kind):
            return parse
    raise TypeError(f"no parser for a filter of the kind {type(declared).__name__}")


@extend_schema_field(SCHEMA)
class ReferenceFilter(plain_filters.CharFilter):
    """Rows of one object, named by its id or, as `ext:…`, by the platform's.

    `field_name` is the relation (`seller`, `order__buyer`). With a `method` it gets our id.
    """

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        """Return the rows of that object; none for an id that nobody has."""
        if not value:
            return queryset
        key = key_of(parse_reference(value), related_model(queryset.model, self.field_name))
        if self.method is not None:
            return self._by_method(queryset, self.field_name, key)
        return queryset.filter(**{f"{self.field_name}_id": key})

    def _by_method(self, queryset: QuerySet, name: str, key: int) -> QuerySet:
        found: QuerySet = getattr(self.parent, str(self.method))(queryset, name, key)
        return found


def related_model(model: type[models.Model], path: str) -> type[models.Model] | None:
    """Return the model at the end of a path of relations; None where there is none."""
    field = get_model_field(model, path)
    return field.related_model if field is not None and field.is_relation else None


class StrictFilterSet(django_filters.FilterSet):
    """The base of every filter set."""

    @classmethod
    def filter_for_field(
        cls, field: Any, field_name: str, lookup_expr: str | None = None
    ) -> plain_filters.Filter:
        """Let a relation to what carries ids of the platform be named by these as well."""
        related = field.related_model if field.is_relation else None
        if related is not None and lookup_expr == "exact" and has_external_id(related):
            return ReferenceFilter(field_name=field_name)
        return super().filter_for_field(field, field_name, lookup_expr)


class StrictFilterBackend(django_filters.DjangoFilterBackend):
    """django-filter, refusing parameters that nobody declared and values of another type."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        if getattr(view, "action", None) == "list" or getattr(view, "strict_parameters", False):
            filterset_class = self.get_filterset_class(view, queryset)
            self._refuse_unknown(request, filterset_class, view)
            if filterset_class is not None:
                self._refuse_wrong(request, filterset_class, queryset.model)
            self._refuse_masked(request, filterset_class, queryset.model)
            return super().filter_queryset(request, queryset, view)
        return queryset

    def _refuse_unknown(self, request: Request, filterset_class: Any, view: Any) -> None:
        known = set(RESERVED) | set(getattr(view, "extra_parameters", ()))
        if filterset_class is not None:
            for name, declared in filterset_class.base_filters.items():
                known.update(_names(name, declared))
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            raise InvalidInput(
                {name: _("Unknown parameter.") for name in unknown}, code="unknown_parameter"
            )

    def _refuse_wrong(self, request: Request, filterset_class: Any, model: Any) -> None:
        wrong: dict[str, str] = {}
        for name, declared in filterset_class.base_filters.items():
            parse = parser_of(declared, model)
            for given in _names(name, declared) if parse is not None else ():
                for value in filter(None, request.query_params.getlist(given)):
                    try:
                        parse(value)
                    except Unreadable as error:
                        wrong[given] = str(error)
        if wrong:
            raise InvalidInput(wrong)

    def _refuse_masked(self, request: Request, filterset_class: Any, model: Any) -> None:
        if filterset_class is None or sees_personal_data(request.user):
            return
        for name, item in filterset_class.base_filters.items():
            asked = set(_names(name, item)) & set(request.query_params)
            if asked and touches_personal_data(model, item.field_name or name):
                raise MaskedColumn(name)


class MaskedColumn(NotAllowed):
    """403: what is masked for a caller cannot be searched, filtered or ordered by."""

    code = "masked_column"

    def __init__(self, name: str) -> None:
        super().__init__(
            _("“%(name)s” is masked for you: it cannot be searched or ordered by.") % {"name": name}
        )


def _names(name: str, declared: plain_filters.Filter) -> Iterator[str]:
    """Yield the parameters of a filter; a range has one for each end: created_min, created_max."""
    yield name
    for suffix in getattr(declared.field.widget, "suffixes", ()):
        yield f"{name}_{suffix}"


def _refuse_masked_columns(queryset: QuerySet, terms: list[str]) -> None:
    """Refuse an order by what the reader sees masked: it would tell the values apart."""
    for term in terms:
        if touches_personal_data(queryset.model, term):
            raise MaskedColumn(term)


class StrictOrdering(OrderingFilter):
    """`?ordering=` over a whitelist; an unknown field is a 400."""

    def get_ordering(self, request: Request, queryset: QuerySet, view: Any) -> Any:
        raw = request.query_params.get(self.ordering_param)
        if raw:
            allowed = set(getattr(view, "ordering_fields", None) or ())
            asked = [term.strip() for term in raw.split(",") if term.strip()]
            wrong = [term for term in asked if term.lstrip("-") not in allowed]
            if wrong or not asked:
                choices = ", ".join(sorted(allowed)) or "-"
                raise InvalidInput(
                    "ordering", _("Order by one of: %(choices)s.") % {"choices": choices}
                )
            if not sees_personal_data(request.user):
                _refuse_masked_columns(queryset, asked)
            return asked
        return self.get_default_ordering(view)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        fields = sorted(getattr(view, "ordering_fields", None) or ())
        if not fields:
            return []
        choices = [sign + name for name in fields for sign in ("", "-")]
        return [
            {
                "name": self.ordering_param,
                "in": "query",
                "required": False,
                "description": "Order of the list; a leading minus reverses it.",
                "schema": {"type": "string", "enum": choices},
            }
        ]
