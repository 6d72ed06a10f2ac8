"""Statements and invoices as PDF, from what was kept; the same row gives the same pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from text_unidecode import unidecode

from marketplace.models import CommissionInvoice, LedgerTransaction, SellerStatement
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money

if TYPE_CHECKING:
    from fpdf import FPDF


def invoice_pdf(invoice: CommissionInvoice) -> bytes:
    """Return an invoice in the seller's language of the day it was issued."""
    content = invoice.content
    with translation.override(content.get("language") or "en"):
        title = _("Credit note") if invoice.total < 0 else _("Invoice")
        page = _page(f"{title} {invoice}", invoice.created_at)
        issuer, recipient = content.get("issuer", {}), content.get("recipient", {})
        _block(
            page, _("From"), [issuer.get(name, "") for name in ("legal_name", "tax_id", "address")]
        )
        parts = ("name", "tax_id", "address", "city", "country")
        _block(page, _("To"), [recipient.get(name, "") for name in parts])
        _block(page, _("Date"), [date_format(invoice.issued_on), _month(invoice.month)])
        texts = invoice_lines()
        rows = [
            (texts[name], format_money(amount, invoice.currency))
            for name, amount in content.get("lines", {}).items()
            if amount
        ]
        rows += [
            (_("Net"), format_money(invoice.net, invoice.currency)),
            (_("Tax"), format_money(invoice.tax, invoice.currency)),
            (_("Total"), format_money(invoice.total, invoice.currency)),
        ]
        _table(page, rows)
        if invoice.is_reverse_charge:
            page.multi_cell(0, 6, _latin(_("Reverse charge: the recipient accounts for the tax.")))
        return bytes(page.output())


def invoice_lines() -> dict[str, str]:
    """Return what the lines of an invoice are called, in their order."""
    return {
        "charged": _("Commission on sales"),
        "returned": _("Commission on refunds"),
        "payouts": _("Fees of payouts"),
        "credited": _("Credits"),
    }


def statement_pdf(statement: SellerStatement) -> bytes:
    """Return a statement in the seller's language: opening, movements by kind, closing."""
    with translation.override(statement.seller.language or "en"):
        title = _("Statement")
        page = _page(f"{title} {_month(statement.month)}", statement.created_at)
        _block(page, _("Seller"), [display_name(statement.seller)])
        kinds = dict(LedgerTransaction.Kind.choices)
        rows = [(_("Opening balance"), format_money(statement.opening, statement.currency))]
        rows += [
            (str(kinds.get(kind, kind)), format_money(amount, statement.currency))
            for kind, amount in statement.movements.items()
        ]
        rows.append((_("Closing balance"), format_money(statement.closing, statement.currency)))
        _table(page, rows)
        return bytes(page.output())


def _month(month: object) -> str:
    return str(date_format(month, "YEAR_MONTH_FORMAT"))  # type: ignore[arg-type]


def _page(title: str, made_at: datetime) -> FPDF:
    # A third of a second of every start, for what few processes ever make.
    from fpdf import FPDF  # noqa: PLC0415

    page = FPDF()
    # The library writes the present otherwise, and the same row gives another file.
    page.set_creation_date(made_at.astimezone(UTC))
    page.set_title(_latin(title))
    page.add_page()
    page.set_font("Helvetica", "B", 16)
    page.cell(0, 12, _latin(title), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=10)
    return page


def _block(page: FPDF, title: str, lines: Sequence[str]) -> None:
    page.ln(2)
    page.set_font("Helvetica", "B", 10)
    page.cell(0, 6, _latin(title), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=10)
    for line in filter(None, lines):
        page.multi_cell(0, 5, _latin(line), new_x="LMARGIN", new_y="NEXT")


def _table(page: FPDF, rows: Sequence[tuple[str, str]]) -> None:
    page.ln(4)
    for name, amount in rows:
        page.cell(120, 7, _latin(name), border="B")
        page.cell(0, 7, _latin(amount), border="B", align="R", new_x="LMARGIN", new_y="NEXT")
    page.ln(4)


def _latin(text: str) -> str:
    """Return a text in the characters of the fonts that every reader has."""
    plain = str(text).replace("\u00a0", " ").replace("\u202f", " ")
    try:
        plain.encode("latin-1")
    except UnicodeEncodeError:
        return str(unidecode(plain))
    return plain
