"""What the marketplace holds about a person; see systemadmin/foundation/personal_data.py."""

from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models import (
    CommissionCharge,
    CommissionInvoice,
    CommissionLine,
    CommissionRule,
    Dispute,
    DisputeMessage,
    JournalEntry,
    JournalLine,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    OrderLine,
    PaymentEvent,
    Payout,
    PayoutCharge,
    PayoutItem,
    Product,
    ProductImage,
    ProductReview,
    ProductRevision,
    ProductWord,
    Refund,
    RefundLine,
    SellerProfile,
    SellerStatement,
)
from systemadmin.foundation.personal_data import (
    ERASED,
    OnErasure,
    OpenBusiness,
    PersonalTable,
    StoredFile,
)

_BOOKS: Final = "Accounts and invoices are kept as tax and commercial law demand."
_COPY: Final = "A copy of the product, kept for search and review."


def _erase_profile(account: Any) -> int:
    """Delete what somebody noted for invoices who never sold anything; return how many rows."""
    if Order.objects.filter(seller=account).exists():
        return 0
    return SellerProfile.objects.filter(user=account).delete()[0]


def _party(prefix: str) -> Any:
    """Return the condition that the account is buyer or seller of an order."""

    def rows(account: Any) -> Q:
        return Q(**{f"{prefix}buyer": account}) | Q(**{f"{prefix}seller": account})

    return rows


def _of(lookup: str) -> Any:
    return lambda account: Q(**{lookup: account})


TABLES = [
    PersonalTable(
        model=ProductWord,
        rows=_of("product__seller"),
        on_erasure=OnErasure.DELETE,
        not_exported=_COPY,
    ),
    PersonalTable(
        model=ProductImage,
        rows=_of("product__seller"),
        on_erasure=OnErasure.DELETE,
        columns=("product", "name", "content_type", "created_at"),
        files=(StoredFile(file="file", content_type="content_type"),),
    ),
    PersonalTable(
        model=ProductReview,
        rows=_of("product__seller"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("product", "action", "from_status", "to_status", "reason", "created_at"),
        emptied={"reason": "", "content": {}},
        reason="Which decisions were made is part of the desk's figures.",
    ),
    PersonalTable(
        model=ProductRevision,
        rows=_of("product__seller"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("product", "patch", "status", "status_reason", "submitted_at", "decided_at"),
        emptied={"base": {}, "patch": {}, "status_reason": "", "checks": []},
        reason="Which edits were reviewed is part of the desk's figures.",
    ),
    PersonalTable(
        model=DisputeMessage,
        rows=_of("author"),
        exported=lambda account: _party("dispute__order__")(account) & Q(is_internal=False),
        on_erasure=OnErasure.ANONYMISE,
        columns=("dispute", "author", "body", "evidence_name", "created_at"),
        emptied={"body": "", "evidence": "", "evidence_name": "", "evidence_type": ""},
        reason="That something was said is part of the dispute of another party.",
        files=(StoredFile(file="evidence", content_type="evidence_type"),),
    ),
    PersonalTable(
        model=Dispute,
        rows=_party("order__"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("order", "reason", "status", "held_amount", "refund_amount", "created_at",
                 "resolved_at", "resolution_note"),
        emptied={"resolution_note": ""},
        reason=_BOOKS,
    ),
    PersonalTable(
        model=Refund,
        rows=_party("order__"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("order", "number", "amount", "reason", "created_at"),
        emptied={"reason": ""},
        reason=_BOOKS,
    ),
    PersonalTable(
        model=PaymentEvent,
        rows=_party("order__"),
        on_erasure=OnErasure.ANONYMISE,
        not_exported="What the payment service told of orders that are in the export.",
        emptied={"body": {}, "error": ""},
        reason="An event that came twice must be known; " + _BOOKS,
    ),
    PersonalTable(
        model=OrderLine,
        rows=_party("order__"),
        on_erasure=OnErasure.KEEP,
        columns=("order", "product", "kind", "title", "quantity", "unit_price", "shipping",
                 "discount", "tax_included", "total", "refunded"),
        reason="What was sold and for how much is the invoice; " + _BOOKS,
    ),
    PersonalTable(
        model=Order,
        rows=_party(""),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "external_id", "buyer", "seller", "currency", "total", "refunded", "status",
                 "payment_reference", "created_at", "paid_at", "completed_at", "closed_at",
                 "cancel_reason"),
        emptied={"cancel_reason": ""},
        reason="The reference of the payment stays; " + _BOOKS,
    ),
    PersonalTable(
        model=Payout,
        rows=_of("seller"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "currency", "amount", "status", "reference", "created_at", "paid_at"),
        emptied={"failure_reason": ""},
        reason="The reference of the transfer stays; " + _BOOKS,
    ),
    PersonalTable(
        model=SellerProfile,
        rows=_of("user"),
        on_erasure=OnErasure.ANONYMISE,
        emptied={"account_sealed": "", "account_masked": ""},
        erase=_erase_profile,
        columns=("tax_status", "level", "legal_name", "tax_id", "birth_date", "address",
                 "postal_code", "city", "account_masked", "identity"),
        reason="Name, tax number and address stand on invoices; " + _BOOKS,
    ),
    PersonalTable(
        model=SellerStatement,
        rows=_of("seller"),
        on_erasure=OnErasure.KEEP,
        columns=("month", "currency", "opening", "closing"),
        reason=_BOOKS,
    ),
    PersonalTable(
        model=CommissionInvoice,
        rows=_of("seller"),
        on_erasure=OnErasure.KEEP,
        columns=("number", "month", "currency", "net", "tax", "total", "issued_on"),
        reason=_BOOKS,
    ),
    PersonalTable(
        model=JournalEntry,
        rows=_of("seller"),
        on_erasure=OnErasure.KEEP,
        columns=("kind", "currency", "reason", "booked_on"),
        reason=_BOOKS,
    ),
    PersonalTable(
        model=JournalLine,
        rows=_of("seller"),
        on_erasure=OnErasure.KEEP,
        columns=("account", "amount"),
        reason=_BOOKS,
    ),
    PersonalTable(
        model=LedgerEntry,
        rows=_of("account__seller"),
        on_erasure=OnErasure.KEEP,
        columns=("transaction", "currency", "amount"),
        reason=_BOOKS,
    ),
    *(
        PersonalTable(
            model=model,
            rows=rows,
            on_erasure=OnErasure.KEEP,
            not_exported="Steps of calculations; the sums are in orders and payouts.",
            reason=_BOOKS,
        )
        for model, rows in (
            (LedgerAccount, _of("seller")),
            (LedgerTransaction, _party("order__")),
            (PayoutItem, _of("payout__seller")),
            (PayoutCharge, _of("payout__seller")),
            (RefundLine, _party("refund__order__")),
            (CommissionLine, _party("line__order__")),
            (CommissionCharge, _party("line__order__")),
        )
    ),
    PersonalTable(
        model=CommissionRule.sellers.through,
        rows=_of("user"),
        on_erasure=OnErasure.DELETE,
        not_exported="Terms of the platform; what they came to is in the orders.",
    ),
    PersonalTable(
        model=Product,
        rows=_of("seller"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "external_id", "kind", "title", "description", "price", "currency",
                 "stock", "attributes", "status", "status_reason", "created_at", "submitted_at",
                 "approved_at"),
        emptied={"title": ERASED, "description": "", "images": [], "attributes": {},
                 "status": Product.Status.REMOVED, "status_reason": "", "reviewed_content": {},
                 "checks": [], "is_paused_by_staff": False},
        reason="Orders name the product that was sold.",
    ),
]  # fmt: skip


# Orders in which something is still to be paid, delivered or decided.
OPEN_STATES: Final = ("reserved", "paid", "disputed")


def _open_orders(account: Any) -> int:
    rows = Order.objects.filter(status__in=OPEN_STATES)
    return rows.of_member(account).count()


def _open_disputes(account: Any) -> int:
    return Dispute.objects.filter(_party("order__")(account), status=Dispute.Status.OPEN).count()


def _open_payouts(account: Any) -> int:
    waiting = (Payout.Status.PENDING, Payout.Status.FAILED)
    return Payout.objects.filter(seller=account, status__in=waiting).count()


def _owed(account: Any) -> int:
    return LedgerAccount.objects.filter(seller=account).exclude(balance=0).count()


OPEN_BUSINESS = [
    OpenBusiness(code="open_orders", title=_("Open orders"), count=_open_orders),
    OpenBusiness(code="open_disputes", title=_("Open disputes"), count=_open_disputes),
    OpenBusiness(code="open_payouts", title=_("Payouts on their way"), count=_open_payouts),
    OpenBusiness(code="balances", title=_("Balances that are not settled"), count=_owed),
]
