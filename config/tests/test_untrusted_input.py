"""What strangers send to every list and every act of the API."""

import re
from datetime import date

import pytest
from django.utils import timezone
from django_filters import BooleanFilter, IsoDateTimeFilter, ModelChoiceFilter, NumberFilter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from config.tests.routes import api_routes
from marketplace.models import Dispute, PaymentHook, Payout, PayoutBatch, ProductRevision
from marketplace.services import close_month, create_fee, create_fee_tax_rate
from marketplace.tests import factories as market
from riskops.models import AccountCluster, Anomaly, AnomalyRule, DecisionRule, RelatedAccount
from support.models import Macro, SavedView
from support.tests import factories as desk
from systemadmin.foundation.api import CursorList, StrictFilterBackend, cursors
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.models import VersionedModel
from systemadmin.foundation.testing import problem
from systemadmin.models import WebhookEndpoint
from systemadmin.tests.factories import UserFactory, request_for_second_person

ROUTES = sorted(api_routes(), key=lambda route: (route[1], route[0]))
# Columns that the list itself chooses for a name of its own.
CHOSEN = {"priority", "risk_score"}


def _model_of(view):
    queryset = getattr(view, "queryset", None)
    if queryset is not None:
        return queryset.model
    meta = getattr(getattr(view, "serializer_class", None), "Meta", None)
    return getattr(meta, "model", None)


def cursor_lists():
    """Each viewset that pages by cursor, with the columns that it may order by."""
    for view in sorted({view for _m, _p, view, _a in ROUTES}, key=lambda view: view.__name__):
        if issubclass(getattr(view, "pagination_class", None) or object, CursorList):
            terms = {*getattr(view, "ordering_fields", ()), *getattr(view, "ordering", ("-id",))}
            yield view, _model_of(view), terms


def test_every_list_by_cursor_orders_by_columns_that_a_cursor_can_hold():
    checked = 0
    for view, model, terms in cursor_lists():
        for name in {term.lstrip("-") for term in terms} - CHOSEN:
            if model is not None:
                field = cursors.column_of(model._default_manager.all(), name)
                assert cursors.type_of(field), (view.__name__, name)
                checked += 1
    assert checked > 20


# -- filters -------------------------------------------------------------------------------

NOT_PLAIN = ["²", "٣", "01", "+1", "1_000", "1e300000", "9" * 30, "9223372036854775808", "NaN"]
MOMENTS = [
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "10000-01-01T00:00:00Z",
    "2026-02-30",
    "2026-W01-1",
]
TEXTS = [
    "member777",
    "1.2.3",
    "a\rb",
    "a\nb",
    "a\x85b",
    "a\u2028b",
    "a\x00b",
    "'",
    "%",
    "\\",
    "x" * 5000,
]
HOSTILE = [*NOT_PLAIN, *MOMENTS, *TEXTS]


def filtered_lists():
    """Each view with a filter set, and the names that it filters by."""
    found = {}
    for method, path, view, _action in ROUTES:
        filterset = getattr(view, "filterset_class", None)
        if method == "GET" and filterset is not None and _model_of(view) is not None:
            found.setdefault(view, path)
    return sorted(found, key=lambda view: view.__name__)


def _ask(view_class, user, name, value):
    """Return the rows of a list for one parameter, or None where it refuses the value."""
    view = view_class(action="list", kwargs={}, format_kwarg=None)
    request = Request(APIRequestFactory().get("/", {name: value}))
    request.user = user
    view.request = request
    queryset = _model_of(view_class)._default_manager.all()
    try:
        return list(StrictFilterBackend().filter_queryset(request, queryset, view)[:1])
    except (InvalidInput, ValidationError):
        return None


@pytest.mark.django_db
@pytest.mark.parametrize("view", filtered_lists(), ids=lambda view: view.__name__)
def test_no_filter_fails_for_any_value(view, superuser):
    for name, declared in view.filterset_class.base_filters.items():
        for value in HOSTILE:
            rows = _ask(view, superuser, name, value)
            if isinstance(declared, NumberFilter | ModelChoiceFilter | BooleanFilter):
                assert rows is None, (name, value)
            if isinstance(declared, IsoDateTimeFilter) or "\r" in value or "\x85" in value:
                assert rows is None, (name, value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/admin/audit?ip=member777", "ip"),
        ("/api/admin/audit?actor=9223372036854775808", "actor"),
        ("/api/admin/audit?occurred_after=10000-01-01T00:00:00Z", "occurred_after"),
        ("/api/admin/audit?target_id=%00", "target_id"),
        ("/api/admin/audit?target_id=%ff", "target_id"),
        ("/api/admin/users?suspended=maybe", "suspended"),
        ("/api/products?seller=%C2%B2", "seller"),
        ("/api/products?price_min=1e300000", "price_min"),
        ("/api/products?search=a%0Db", "search"),
        ("/api/admin/stats/overview?from=0000-01-01", "from"),
        ("/api/admin/stats/overview?from=9999-12-31T23:59:59-14:00", "from"),
        ("/api/admin/commissions?seller=%D9%A3", "seller"),
        ("/api/admin/commissions?from=9999-12-31", "from"),
        ("/api/admin/commissions?to=10000-01-01", "to"),
        ("/api/admin/support/reports?start=2026-01-01&end=9999-12-31", "end"),
        ("/api/admin/users/1/graph?depth=%C2%B2", "depth"),
        ("/api/admin/users/1/graph?depth=01", "depth"),
        ("/api/messages/stream?last_event_id=%D9%A3", "Last-Event-ID"),
        ("/api/messages/stream?last_event_id=007", "Last-Event-ID"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(as_user, superuser, path, field):
    address = path.replace("/users/1/", f"/users/{superuser.pk}/")
    problem(as_user(superuser).get(address), 400, field=field)


# -- If-Match ------------------------------------------------------------------------------


def versioned_acts():
    """Every call that changes one object that has a version."""
    for method, path, view, action in ROUTES:
        model = _model_of(view)
        is_act = method not in ("GET", "HEAD", "OPTIONS") and "{pk}" in path
        if is_act and issubclass(model or object, VersionedModel):
            yield pytest.param(method, path, model, id=f"{method} {path}")


ACTS = list(versioned_acts())


def test_the_walk_finds_the_acts_on_versioned_objects():
    assert len(ACTS) >= 45
    models = {act.values[2] for act in ACTS}
    assert {model.__name__ for model in models} >= {"Ticket", "Product", "Order", "Dispute", "Faq"}


def _revision(root):
    product = market.approved(seller=root)
    return ProductRevision.objects.create(product=product, created_by=root, base_version=1)


def _dispute(root):
    paid = market.paid(market.approved(seller=UserFactory()), buyer=root)
    return Dispute.objects.create(order=paid, opened_by=root, reason=Dispute.Reason.values[0])


def _pair(root):
    low, high = sorted([root.pk, UserFactory().pk])
    return RelatedAccount.objects.create(low_id=low, high_id=high)


def _anomaly(root):
    now = timezone.now()
    return Anomaly.objects.create(
        rule=AnomalyRule.objects.first(),
        account=root,
        severity=1,
        detected_at=now,
        first_hit_at=now,
        last_hit_at=now,
    )


# One object of each versioned model, which the superuser may see from either side.
MAKERS = {
    "Ticket": lambda root: desk.make_ticket(requester=root),
    "Faq": lambda root: desk.make_faq(),
    "SavedView": lambda root: SavedView.objects.create(owner=root, name="Mine"),
    "ReplyTemplate": lambda root: desk.make_template(),
    "Macro": lambda root: Macro.objects.create(name="Thanks"),
    "BusinessCalendar": lambda root: desk.make_calendar(),
    "SlaPolicy": lambda root: desk.make_policy(),
    "Product": lambda root: market.approved(seller=root),
    "ProductRevision": _revision,
    "Category": lambda root: market.category(),
    "Order": lambda root: market.order(market.approved(seller=UserFactory()), buyer=root),
    "Dispute": _dispute,
    "Payout": lambda root: Payout.objects.create(seller=root, amount=100, currency="EUR"),
    "PayoutBatch": lambda root: PayoutBatch.objects.create(
        currency="EUR", execution_on=date(2026, 1, 2), count=1, amount=100
    ),
    "PaymentHook": lambda root: PaymentHook.objects.create(name="stripe", secret="x"),
    "ClosedMonth": lambda root: close_month(actor=root, month=date(2025, 3, 1)),
    "CommissionRule": lambda root: market.rule(),
    "CommissionFee": lambda root: create_fee(actor=root, code="listing", name="Listing"),
    "FeeTaxRate": lambda root: create_fee_tax_rate(actor=root, country="DE"),
    "WebhookEndpoint": lambda root: WebhookEndpoint.objects.create(url="https://a.test/"),
    "RelatedAccount": _pair,
    "AccountCluster": lambda root: AccountCluster.objects.create(size=2),
    "Anomaly": _anomaly,
    "ApprovalRequest": lambda root: request_for_second_person(),
    "AnomalyRule": lambda root: AnomalyRule.objects.first(),
    "DecisionRule": lambda root: DecisionRule.objects.first(),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "model"), ACTS)
def test_every_act_on_a_versioned_object_refuses_a_stale_tag(
    as_user, superuser, method, path, model
):
    row = MAKERS[model.__name__](superuser)
    call = getattr(as_user(superuser), method.lower())
    address = re.sub(r"\{[^}]*\}", "1", path.replace("{pk}", str(row.pk)))
    version = model.objects.get(pk=row.pk).version
    stale = call(address, {}, headers={"If-Match": f'"{version + 7}"'})
    problem(stale, 412, "stale_version")
    assert model.objects.get(pk=row.pk).version == version
    for wrong in ('"٣"', '"007"', "nonsense", "1e9"):
        tag = wrong.encode().decode("latin-1")
        problem(call(address, {}, headers={"If-Match": tag}), 400, field="If-Match")
    if model.__name__ != "WebhookEndpoint":
        fresh = call(address, {}, headers={"If-Match": f'"{version}"'})
        assert fresh.status_code not in (412, 500), fresh.content
