"""Refusals about legal holds, erasures and exports of accounts."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, RuleViolation


class LegalHoldOver(RuleViolation):
    """The hold was released or has ended."""

    code = "legal_hold_over"
    default_detail = _("This legal hold is over already.")


class AccountIsHeld(RuleViolation):
    """A legal hold is in force."""

    code = "legal_hold"
    default_detail = _("A legal hold is in force: this account cannot be erased before it ends.")


class AccountIsErased(RuleViolation):
    """The account was erased, or is being erased now."""

    code = "account_erased"
    default_detail = _("This account was erased, or is being erased.")


class StaffNotErased(RuleViolation):
    """The account still has rights of staff."""

    code = "account_is_staff"
    default_detail = _("This account holds rights of staff or of a service. Take them away first.")


class BusinessIsOpen(RuleViolation):
    """Something has to be settled before the account can be erased."""

    code = "open_business"
    default_detail = _(
        "The account has open business. Settle it first, or say to go on despite it."
    )


class ErasureNotConfirmed(InvalidInput):
    """The name of the account was not repeated."""

    def __init__(self) -> None:
        super().__init__("confirm", _("Repeat the user name of the account."), code="not_confirmed")


class ExportRunning(RuleViolation):
    """An export of the account is queued or being made."""

    code = "export_running"
    default_detail = _("An export of this account is being made already.")


class ExportNotReady(RuleViolation):
    """There is no file: the export is not done, failed, or has expired."""

    code = "export_not_ready"
    default_detail = _("This export is not ready, or has expired. Ask for a new one.")
