"""The ways a rule of the marketplace refuses."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import DomainError, NotAllowed, RuleViolation, field_error


class TransitionNotAllowed(RuleViolation):
    """The state does not permit the action."""

    code = "transition_not_allowed"
    default_detail = _("This is not possible in its present state.")


class UndoTooLate(RuleViolation):
    """A decision can be taken back for a moment, by whoever took it, while nothing hangs on it."""

    code = "undo_too_late"
    default_detail = _(
        "This cannot be undone any more: the time is over, or something has happened since."
    )


class RevisionStale(RuleViolation):
    """The approved version changed in a field that the revision changes too."""

    code = "revision_stale"
    default_detail = _("The product has changed since this edit was made.")


class PausedByStaff(RuleViolation):
    """A seller wants to resume what staff paused."""

    code = "paused_by_staff"
    default_detail = _("Staff paused this product; only staff can resume it.")


class OutOfStock(RuleViolation):
    """There is less than was asked for."""

    code = "out_of_stock"
    default_detail = _("There is not enough in stock.")


class NotForSale(RuleViolation):
    """The product is not approved, or not active."""

    code = "not_for_sale"
    default_detail = _("This product cannot be bought now.")


class OwnProduct(RuleViolation):
    """Nobody buys from themselves."""

    code = "own_product"
    default_detail = _("You cannot buy your own product.")


class SellerNotActive(RuleViolation):
    """The seller is suspended or gone."""

    code = "seller_not_active"
    default_detail = _("This seller cannot sell at present.")


class OrderNotResumable(RuleViolation):
    """A late payment found the stock sold to others."""

    code = "reservation_expired"
    default_detail = _("The reservation expired and the stock has been sold.")


class AmountMismatch(RuleViolation):
    """The captured amount is not the order's total."""

    code = "amount_mismatch"
    default_detail = _("The amount paid is not the order's total.")


class PaymentReferenceUsed(RuleViolation):
    """One payment cannot pay two orders."""

    code = "payment_reference_used"
    default_detail = _("This payment reference belongs to another order.")


class ImportRefused(RuleViolation):
    """The database refused an order whose form looked right."""

    code = "import_refused"
    default_detail = _("The order contradicts itself. Nothing of it was recorded.")


class RefundTooHigh(RuleViolation):
    """More than is left."""

    code = "refund_too_high"
    default_detail = _("More cannot be refunded than is left of what was paid.")


class DisputeOpen(RuleViolation):
    """The order is in dispute."""

    code = "dispute_open"
    default_detail = _("The order is in dispute.")


class DisputeTooLate(RuleViolation):
    """The time to open a dispute is over."""

    code = "dispute_too_late"
    default_detail = _("The time to open a dispute for this order is over.")


class NothingToPay(RuleViolation):
    """The seller's balance is not positive or under the minimum."""

    code = "nothing_to_pay"
    default_detail = _("There is nothing to pay out.")


class PayoutHeld(RuleViolation):
    """The seller is suspended, or staff found the account to be a fraud."""

    code = "payout_held"
    default_detail = _(
        "Nothing is paid out to this seller at present: the account is suspended, was found to be a"
        " fraud, is at high risk, has an open dispute, or its identity was not checked. `reasons`"
        " says which."
    )


class TransferRefused(RuleViolation):
    """A bank would not carry a payout out as a SEPA credit transfer."""

    code = "transfer_refused"
    default_detail = _("The bank would not carry this payout out.")


class PayerMissing(RuleViolation):
    """A payment file names who pays."""

    code = "payer_missing"
    default_detail = _(
        "Set `marketplace.platform_legal_name` and `marketplace.platform_iban` first."
    )


class PayoutOpen(RuleViolation):
    """A payout is on its way."""

    code = "payout_open"
    default_detail = _("The seller has an open payout in this currency: settle it first.")


class LedgerConflict(RuleViolation):
    """A business key was used for something else."""

    code = "ledger_conflict"
    default_detail = _("This step has been booked already with other amounts.")


class CategoryInUse(RuleViolation):
    """It still holds something."""

    code = "category_in_use"
    default_detail = _("The category still holds categories, products or rules.")


class DisputeDecided(RuleViolation):
    """The order's dispute was decided."""

    code = "dispute_decided"
    default_detail = _("This order's dispute was decided; the decision is final.")


class AppealTooLate(RuleViolation):
    """Nothing is left to decide about."""

    code = "appeal_too_late"
    default_detail = _("The order was given back whole or is not completed: nothing is left.")


class SellerOwes(RuleViolation):
    """A payout is not tried again in full while its seller owes."""

    code = "seller_owes"
    default_detail = _("The seller owes by now: cancel the payout, and pay what is left.")


class FeeInUse(RuleViolation):
    """A fee with rules, or one that charged an order, is kept."""

    code = "fee_in_use"
    default_detail = _("The fee has rules or has charged orders: switch it off instead.")


class RuleInUse(RuleViolation):
    """A rule that charged a sale is kept."""

    code = "rule_in_use"
    default_detail = _("The rule has charged sales: switch it off instead.")


class LineMatched(RuleViolation):
    """A bank line is matched once."""

    code = "line_matched"
    default_detail = _("The line is matched already: take that back first.")


class EntryReversed(RuleViolation):
    """An entry by hand is reversed once, and a reversal not at all."""

    code = "entry_reversed"
    default_detail = _("The entry is reversed already, or is a reversal itself: book it anew.")


class NotOwed(RuleViolation):
    """A write-off takes away a debt that is there."""

    code = "not_owed"
    default_detail = _("The seller does not owe that much.")


class MonthNotClosed(RuleViolation):
    """Statements are made of months that no longer change."""

    code = "month_not_closed"
    default_detail = _("Close the month first.")


class MonthNotOver(RuleViolation):
    """A month is closed after its end."""

    code = "month_not_over"
    default_detail = _("The month is not over yet.")


class MonthOutOfOrder(RuleViolation):
    """Months are closed one after the other."""

    code = "month_out_of_order"
    default_detail = _("Months are closed in order: close the one after the last closed month.")


class BooksNotSound(RuleViolation):
    """The ledger does not add up."""

    code = "books_not_sound"
    default_detail = _("The ledger does not add up. Repair what `check_ledger` reports first.")


class ImportedDifferently(RuleViolation):
    """An order that the platform took was sent before, with other facts."""

    code = "imported_differently"

    def __init__(self, field: str, *, order: int | None) -> None:
        detail = _("This order was imported before with another value of %(field)s.")
        super().__init__(
            detail % {"field": field},
            errors=[field_error(field, detail % {"field": field}, self.code)],
            extra={"order": order},
        )


class ListedByAnother(RuleViolation):
    """A listing keeps its seller."""

    code = "listed_by_another"
    default_detail = _("This listing belongs to another seller.")

    def __init__(self, *, product: int) -> None:
        errors = [field_error("seller", self.default_detail, self.code)]
        super().__init__(errors=errors, extra={"product": product})


class HookNotSigned(NotAllowed):
    """What came in is not signed by the service, or too old."""

    status = 401
    code = "not_signed"
    default_detail = _("The signature is missing, wrong, or older than five minutes.")


class PaymentEventNotFailed(RuleViolation):
    """Only what failed or waits is tried again."""

    code = "payment_event_not_failed"
    default_detail = _("This event did not fail.")


class PaymentHookInUse(RuleViolation):
    """The events of payment services name where they came in."""

    code = "payment_hook_in_use"
    default_detail = _("Events came in by this payment hook: switch it off instead.")


class PaymentHookNeedsSuperuser(NotAllowed):
    """403: whoever knows a hook's secret can pay orders of any amount."""

    code = "payment_hook_needs_superuser"
    default_detail = _(
        "Only superusers decide whose word on payments is taken. You may switch a hook off."
    )


class Dac7HeaderIncomplete(DomainError):
    """400: the settings do not say who sends the year's report, or say it wrongly."""

    status = 400
    code = "dac7_header_incomplete"
    default_detail = _("Settings of the report on sellers are missing or wrong.")


class Dac7SellersIncomplete(DomainError):
    """400: the schema of the year's report asks for more than is kept of some sellers."""

    status = 400
    code = "dac7_sellers_incomplete"
    default_detail = _(
        "The report needs the country of each seller, and the date of birth of private persons."
    )
