"""What strangers send to every list and every act of the API."""

from config.tests.routes import api_routes
from systemadmin.foundation.api import CursorList, cursors

ROUTES = sorted(api_routes(), key=lambda route: (route[1], route[0]))
# Columns that the list itself chooses for a name of its own.
CHOSEN = {"priority", "risk_score"}


def cursor_lists():
    """Each viewset that pages by cursor, with the columns that it may order by."""
    for view in sorted({view for _m, _p, view, _a in ROUTES}, key=lambda view: view.__name__):
        if issubclass(getattr(view, "pagination_class", None) or object, CursorList):
            meta = getattr(getattr(view, "serializer_class", None), "Meta", None)
            model = getattr(getattr(view, "queryset", None), "model", None)
            terms = {*getattr(view, "ordering_fields", ()), *getattr(view, "ordering", ("-id",))}
            yield view, model or getattr(meta, "model", None), terms


def test_every_list_by_cursor_orders_by_columns_that_a_cursor_can_hold():
    checked = 0
    for view, model, terms in cursor_lists():
        for name in {term.lstrip("-") for term in terms} - CHOSEN:
            if model is not None:
                field = cursors.column_of(model._default_manager.all(), name)
                assert cursors.type_of(field), (view.__name__, name)
                checked += 1
    assert checked > 20
