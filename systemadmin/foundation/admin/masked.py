"""What is masked for some staff is neither shown to them nor searched by them on any page."""

import functools
import json
from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

from django.contrib import admin
from django.db.models import BooleanField, QuerySet, Value
from django.http import HttpRequest

from systemadmin.foundation.personal_data import (
    masked,
    masked_texts,
    personal_fields,
    personal_texts,
    sees_personal_data,
    touches_personal_data,
    without_personal_data,
)


class KnowsReader(admin.ModelAdmin):
    """Its rows say in `reader_sees` whether whoever reads them sees personal data as it is.

    One admin object serves the requests of all threads at once, so it can remember none of them.
    """

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows for this reader."""
        sees = Value(sees_personal_data(request.user), output_field=BooleanField())
        return super().get_queryset(request).annotate(reader_sees=sees)


def reader_sees(row: Any) -> bool:
    """Return whether the reader of a row of `KnowsReader` sees personal data as it is."""
    return bool(getattr(row, "reader_sees", False))


class MaskedColumns(admin.ModelAdmin):
    """The part of every page that masks `personal_fields` for whoever may not see them."""

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show masked columns masked, without an order."""
        return self._masked_for(request, super().get_list_display(request))

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Leave out what this user sees masked."""
        return self._open_to(request, super().get_search_fields(request))

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Leave out filters on what this user sees masked."""
        return self._open_to(request, super().get_list_filter(request))

    def get_ordering(self, request: HttpRequest) -> Any:
        """Leave out the order by what this user sees masked."""
        return self._open_to(request, super().get_ordering(request))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse a lookup in the address (`?email__startswith=a`) on a masked column."""
        if touches_personal_data(self.model, lookup) and not sees_personal_data(request.user):
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show masked columns masked on the page of one object too."""
        return [
            (title, {**options, "fields": self._masked_for(request, options["fields"])})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Whoever sees a column masked does not write it."""
        fields = self._masked_for(request, super().get_readonly_fields(request, obj))
        if sees_personal_data(request.user):
            return fields
        shown = [self._masked(name) for name in self._hidden()]
        return [*fields, *(column for column in shown if column not in fields)]

    def _open_to(self, request: HttpRequest, paths: Any) -> Any:
        if not paths or sees_personal_data(request.user):
            return paths
        return without_personal_data(self.model, paths)

    def _masked_for(self, request: HttpRequest, names: Any) -> Any:
        hidden = self._hidden()
        if not hidden or sees_personal_data(request.user):
            return names
        return exchanged(names, {name: self._masked(name) for name in hidden})

    def _hidden(self) -> tuple[str, ...]:
        return (*personal_fields(self.model), *personal_texts(self.model))

    def _masked(self, name: str) -> Callable[[Any], str]:
        return _masked_column(cast(Hashable, self.model), name)


def exchanged(names: Any, columns: Mapping[str, Any]) -> list[Any]:
    """Return columns or fields with others in the place of some, in rows of fields too."""
    return [
        tuple(exchanged(name, columns)) if isinstance(name, (list, tuple))
        else columns.get(name, name)
        for name in names
    ]  # fmt: skip


def column_in_place_of(model: Any, name: str, show: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a column under a field's own title that shows its value in another way."""

    @admin.display(description=model._meta.get_field(name).verbose_name)
    def column(obj: Any) -> str:
        return show(getattr(obj, name))

    return column


@functools.cache
def _masked_column(model: Hashable, name: str) -> Callable[[Any], str]:
    table: Any = model

    def show(value: Any) -> str:
        if name in personal_fields(table):
            return masked(value)
        shown = masked_texts(value)
        return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)

    column = column_in_place_of(table, name, show)
    column.__name__ = f"masked_{name}"
    return column
