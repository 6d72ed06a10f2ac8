"""Pages that show no link which would answer 403."""

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, cast

from django.db import models
from django.http import HttpRequest

from systemadmin.foundation.admin.masked import MaskedColumns, column_in_place_of, exchanged


class ShownLinks(MaskedColumns):
    """The part of every page that leaves out what this user could not open.

    `needs_permission` names columns and fields that are links, each with what its page asks for.
    Django makes a link of a related object that is shown and not edited; it becomes plain text for
    whoever may not look at such objects.
    """

    needs_permission: ClassVar[Mapping[str, str]] = {}

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave out links that this user may not follow."""
        return self._permitted(request, super().get_list_display(request))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out links that this user may not follow; related objects are shown as text."""
        found = super().get_fieldsets(request, obj)
        if obj is None:
            return found
        plain = self._plain(request, obj)
        return [
            (title, {**options, "fields": exchanged(
                self._permitted(request, options["fields"]), plain
            )})
            for title, options in found
        ]  # fmt: skip

    def _permitted(self, request: HttpRequest, names: Any) -> Any:
        """Return the columns, or rows of fields, that this user may follow."""
        needs = self.needs_permission
        if not needs:
            return names
        user: Any = request.user
        return [
            name for name in names
            if not isinstance(name, str) or name not in needs or user.has_perm(needs[name])
        ]  # fmt: skip

    def _plain(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return the columns that stand for related objects which this user may not look at.

        Only where nothing is edited: a page that edits makes a choice of it, not a link.
        """
        if self.has_change_permission(request, obj):
            return {}
        registry = self.admin_site._registry
        found = {}
        for field in self.opts.fields:
            related = field.remote_field.model if isinstance(field, models.ForeignKey) else None
            page = registry.get(related) if related is not None else None
            if page is not None and not page.has_view_permission(request):
                found[field.name] = _plain_column(cast(Hashable, self.model), field.name)
        return found


@functools.cache
def _plain_column(model: Hashable, name: str) -> Callable[[Any], str]:
    column = column_in_place_of(model, name, lambda value: "-" if value is None else str(value))
    column.__name__ = f"plain_{name}"
    return column
