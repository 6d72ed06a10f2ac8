"""Journal entries by hand that need a second person, and what who decides is shown of them."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from marketplace.journal_templates import Line
from marketplace.models import JournalEntry, JournalLine
from marketplace.services.receipts import StoredReceipt, drop_receipt, receipt_of
from systemadmin.foundation.money import format_money
from systemadmin.models import User
from systemadmin.services.approval_arguments import encode_all, storable
from systemadmin.services.second_person import Attempt, MoneyLimit, Subject, needs_second_person

storable(Line)

_ENTRY: Final = MoneyLimit(kind="entry", setting="duties.second_person_entry_limit")


def _counts(_attempt: Attempt) -> bool:
    return True


def _entry_amount(attempt: Attempt) -> tuple[int, str]:
    entry: JournalEntry = attempt.result
    debits = entry.lines.filter(amount__gt=0).aggregate(sum=Sum("amount"))["sum"]
    return debits or 0, entry.currency


def _kept_entry(attempt: Attempt) -> dict[str, Any]:
    """Return the arguments with the receipt by its place in the storage."""
    return {**attempt.arguments, "attachment": receipt_of(attempt.result)}


def _new_entry(attempt: Attempt) -> Subject:
    """Name an entry that is not there yet by all that it says."""
    receipt = receipt_of(attempt.result)
    content = receipt.sha256 if receipt else None
    asked = encode_all({**attempt.arguments, "attachment": content})
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    shown = format_money(*_entry_amount(attempt))
    return Subject(type="journal", id=digest, name=f"{attempt.result.get_kind_display()}: {shown}")


def _shown_lines(lines: Sequence[Line], currency: str) -> list[tuple[Any, Any]]:
    accounts = dict(JournalLine.ACCOUNTS)
    sellers = User.objects.in_bulk([line.seller_id for line in lines if line.seller_id])
    shown = []
    for line in lines:
        name = str(accounts[line.account])
        if line.seller_id in sellers:
            name = f"{name} ({sellers[line.seller_id].get_username()})"
        shown.append((name, format_money(line.amount, currency)))
    return shown


def _shown_new_entry(
    *,
    kind: str,
    currency: str,
    lines: Sequence[Line],
    attachment: StoredReceipt | None = None,
    **rest: Any,
) -> list[tuple[Any, Any]]:
    return [
        (_("kind"), JournalEntry.Kind(kind).label),
        (_("day"), str(rest.get("booked_on") or _("the day it is approved"))),
        *_shown_lines(lines, currency),
        *((name, str(rest[name])) for name in ("seller", "order", "payout") if rest.get(name)),
        (_("receipt"), attachment.name if attachment else ""),
    ]


def _shown_reversal(*, entry: JournalEntry, **_rest: Any) -> list[tuple[Any, Any]]:
    lines = [Line(row.account, -row.amount, row.seller_id) for row in entry.lines.all()]
    return [
        (_("journal entry"), str(entry)),
        (_("kind"), entry.get_kind_display()),
        (_("day"), str(entry.booked_on)),
        *_shown_lines(lines, entry.currency),
    ]


_ENTRY_RULE: Final = _("from `duties.second_person_entry_limit`, summed over 24 hours")

post_journal_entry = needs_second_person(
    "marketplace.post_journal_entry",
    kind="money",
    title=_("Post a journal entry"),
    permission="marketplace.add_journalentry",
    rule=_ENTRY_RULE,
    needs=_counts,
    limit=_ENTRY,
    subject=_new_entry,
    amount=_entry_amount,
    state=lambda *, currency, **_rest: [currency],
    shown=_shown_new_entry,
    stored_arguments=_kept_entry,
    discard_files=drop_receipt,
)

reverse_journal_entry = needs_second_person(
    "marketplace.reverse_journal_entry",
    kind="money",
    title=_("Reverse a journal entry"),
    permission="marketplace.reverse_journalentry",
    rule=_ENTRY_RULE,
    needs=_counts,
    limit=_ENTRY,
    subject=lambda attempt: attempt.arguments["entry"],
    amount=_entry_amount,
    shown=_shown_reversal,
)
