"""Strict list parameters: a misspelt filter is a 400, not a full list."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as django_filters
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request

from systemadmin.foundation.errors import InvalidInput

RESERVED = {"page", "page_size", "cursor", "ordering"}


class StrictFilterSet(django_filters.FilterSet):
    """The base of every filter set."""


class StrictFilterBackend(django_filters.DjangoFilterBackend):
    """django-filter, refusing parameters that nobody declared."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        if getattr(view, "action", None) == "list" or getattr(view, "strict_parameters", False):
            self._refuse_unknown(request, queryset, view)
            return super().filter_queryset(request, queryset, view)
        return queryset

    def _refuse_unknown(self, request: Request, queryset: QuerySet, view: Any) -> None:
        filterset_class = self.get_filterset_class(view, queryset)
        known = set(RESERVED) | set(getattr(view, "extra_parameters", ()))
        if filterset_class is not None:
            # Expanded names too: created_min, created_max of a range filter.
            for name, item in filterset_class.base_filters.items():
                known.add(name)
                widget = item.field.widget
                known.update(f"{name}_{suffix}" for suffix in getattr(widget, "suffixes", ()))
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            raise InvalidInput(
                {name: _("Unknown parameter.") for name in unknown}, code="unknown_parameter"
            )


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
