"""Paging: by number with a count for small sets, by keyset cursor for what grows."""

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import cursors
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 25
LAST_PAGE = 10**9
LINK = {"type": ["string", "null"], "format": "uri"}


def page_size_of(request: Request, default: int = DEFAULT_PAGE_SIZE) -> int:
    """Return `?page_size=`, 1 to 100; raises `InvalidInput` for anything else."""
    raw = request.query_params.get("page_size")
    if raw is None:
        return default
    return _number("page_size", raw, MAX_PAGE_SIZE)


def _number(name: str, raw: str, high: int) -> int:
    try:
        return parse_whole_number(raw, 1, high)
    except Unreadable as error:
        raise InvalidInput(name, str(error)) from error


class PagedList(PageNumberPagination):
    """`{count, next, previous, results}` for sets that stay small."""

    page_size = DEFAULT_PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        return page_size_of(request, self.page_size)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        _number("page", request.query_params.get("page", "1"), LAST_PAGE)
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the envelope for OpenAPI 3.1, which has no `nullable`."""
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {"type": "integer"},
                "next": LINK,
                "previous": LINK,
                "results": schema,
            },
        }


class CursorList(BasePagination):
    """`{next, previous, results}` by keyset: each page costs the page, however deep.

    The cursor (`cursors.py`) holds the ordering values of the row at the edge, so rows inserted
    or removed meanwhile make no gap and no double. Nulls sort last in either direction.
    """

    ordering: tuple[str, ...] = ("-id",)
    page_size = DEFAULT_PAGE_SIZE

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: Any = None) -> list:
        self.request = request
        self.base_url = request.build_absolute_uri(request.path)
        self.size = page_size_of(request, getattr(view, "page_size", self.page_size))
        self.fields = self._ordering(queryset, request, view)
        self.types = cursors.column_types(queryset, [name for name, _desc in self.fields])
        position, backwards = self._read_cursor(request.query_params.get("cursor"))
        self.nullable = [self._is_nullable(queryset, name) for name, _desc in self.fields]
        page = queryset.order_by(*self._order_terms(backwards))
        if position is not None:
            page = page.filter(self._beyond(position, backwards))
        rows = self.read(page, self.size + 1)
        more, rows = len(rows) > self.size, rows[: self.size]
        if backwards:
            rows.reverse()
        self.has_next = more if not backwards else position is not None
        self.has_previous = more if backwards else position is not None
        self.rows = rows
        return rows

    def read(self, page: QuerySet, limit: int) -> list[Any]:
        """Return the first rows of what lies beyond the cursor."""
        return list(page[:limit])

    def _ordering(self, queryset: QuerySet, request: Request, view: Any) -> list[tuple[str, bool]]:
        terms: list[str] = []
        if request.query_params.get("ordering"):
            terms = [term.strip() for term in request.query_params["ordering"].split(",")]
        terms = terms or list(getattr(view, "ordering", None) or self.ordering)
        fields = [(term.lstrip("-"), term.startswith("-")) for term in terms]
        pk = queryset.model._meta.pk.name
        if not any(name in (pk, "pk") for name, _desc in fields):
            fields.append((pk, fields[0][1]))
        return fields

    def _is_nullable(self, queryset: QuerySet, name: str) -> bool:
        if name in queryset.query.annotations:
            return True
        model = queryset.model
        for part in name.split("__"):
            try:
                found = model._meta.get_field(part)
            except FieldDoesNotExist:
                return False
            if getattr(found, "null", False) or not found.concrete:
                return True
            model = found.related_model or model
        return False

    def _order_terms(self, backwards: bool) -> list[Any]:
        terms: list[Any] = []
        for (name, descending), nullable in zip(self.fields, self.nullable, strict=True):
            down = descending != backwards
            if not nullable:
                terms.append(f"-{name}" if down else name)
                continue
            nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
            terms.append(F(name).desc(**nulls) if down else F(name).asc(**nulls))
        return terms

    def _beyond(self, position: list[Any], backwards: bool) -> Q:
        """Return rows strictly beyond the cursor, in lexicographic order of the fields."""
        beyond, same = Q(pk__in=[]), Q()
        for index, (name, descending) in enumerate(self.fields):
            value = position[index]
            step = self._step(name, value, descending != backwards, index, backwards)
            if step is not None:
                beyond |= same & step
            same &= Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
        name, descending = self.fields[0]
        if position[0] is not None and not self.nullable[0]:
            # Says nothing new, but says where to start: an index range is not read out of ORs.
            beyond &= Q(**{f"{name}__{'lte' if descending != backwards else 'gte'}": position[0]})
        return beyond

    def _step(self, name: str, value: Any, down: bool, index: int, backwards: bool) -> Q | None:
        if value is None:
            # Nulls are last: nothing lies beyond one going forward, all else going back.
            return Q(**{f"{name}__isnull": False}) if backwards else None
        step = Q(**{f"{name}__{'lt' if down else 'gt'}": value})
        if self.nullable[index] and not backwards:
            step |= Q(**{f"{name}__isnull": True})
        return step

    def _read_cursor(self, raw: str | None) -> tuple[list[Any] | None, bool]:
        if not raw:
            return None, False
        try:
            return cursors.decode(raw, types=self.types, bound=self._bound())
        except cursors.InvalidCursor as error:
            raise InvalidInput("cursor", _("This cursor is not valid for this list.")) from error

    def _bound(self) -> str:
        """Return what a cursor is valid for: the list it was made by and its order."""
        ordering = ",".join(("-" if down else "") + name for name, down in self.fields)
        return f"{self.request.path.rstrip('/')}?{ordering}"

    def _link(self, row: Any, backwards: bool) -> str:
        values = [self._value(row, name) for name, _desc in self.fields]
        cursor = cursors.encode(values, backwards, types=self.types, bound=self._bound())
        params = [(k, v) for k, v in self.request.query_params.lists() if k != "cursor"]
        params.append(("cursor", [cursor]))
        return f"{self.base_url}?{urlencode(params, doseq=True)}"

    def _value(self, row: Any, name: str) -> Any:
        if isinstance(row, dict):
            return row[name]
        if hasattr(row, name):
            return getattr(row, name)
        value = row
        for part in name.split("__"):
            value = getattr(value, part) if value is not None else None
        return value

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page; `next` and `previous` are null at the ends."""
        following = self._link(self.rows[-1], False) if self.rows and self.has_next else None
        preceding = self._link(self.rows[0], True) if self.rows and self.has_previous else None
        return Response({"next": following, "previous": preceding, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the envelope for OpenAPI."""
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": LINK, "previous": LINK, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe `cursor` and `page_size` for OpenAPI."""
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Taken from `next` or `previous` of an earlier page.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": "Rows a page, 1 to 100.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE},
            },
        ]
