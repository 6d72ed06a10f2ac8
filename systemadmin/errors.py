"""The ways the base app's rules refuse."""

from collections.abc import Mapping
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import (
    DomainError,
    InvalidInput,
    NotAllowed,
    RuleViolation,
    Unavailable,
)


class AlreadySuspended(RuleViolation):
    """The suspension is in force already."""

    code = "already_suspended"
    default_detail = _("The account is already suspended.")


class NotSuspended(RuleViolation):
    """There is no suspension to lift."""

    code = "not_suspended"
    default_detail = _("The account is not suspended.")


class AlreadyVerified(RuleViolation):
    """The account was verified before."""

    code = "already_verified"
    default_detail = _("The account is already verified.")


class OwnInterest(NotAllowed):
    """The decision concerns the account of whoever decides, or one confirmed as theirs."""

    code = "own_interest"
    default_detail = _(
        "This concerns your own account, or one that is confirmed to be yours."
        " Somebody else has to decide it."
    )


class CannotDecideRequest(NotAllowed):
    """Whoever decides is not the second person that the request needs."""

    code = "cannot_decide_request"

    def __init__(self, why: str, who: Mapping[str, Any]) -> None:
        """Say why not, and who may."""
        text = _("%(why)s Somebody else has to decide it: %(who)s.")
        super().__init__(
            text % {"why": why, "who": who["text"]},
            extra={"permission": who["permission"], "roles": who["roles"]},
        )


class RequestIsDecided(RuleViolation):
    """Somebody decided it, or its time is over."""

    code = "request_is_decided"

    def __init__(self, state: Any) -> None:
        super().__init__(
            _("This request is decided already (%(state)s).") % {"state": state},
        )


class RequestWaitsAlready(RuleViolation):
    """Another request of this kind waits for the same object."""

    code = "request_waits_already"
    default_detail = _(
        "Another request for the same object waits for a second person. "
        "It has to be decided or withdrawn first."
    )


class NotWhoAsked(NotAllowed):
    """Only whoever asked withdraws a request."""

    code = "not_who_asked"
    default_detail = _("Only who asked for it may withdraw a request.")


class SuperuserSwitchesPlace(NotAllowed):
    """Only superusers say that the place has one person."""

    code = "superuser_switches_place"
    default_detail = _("Only a superuser may say that this place has one person of staff.")


class CannotSuspendStaff(NotAllowed):
    """Only those who manage staff may suspend or reinstate staff."""

    code = "cannot_suspend_staff"
    default_detail = _(
        "Staff are suspended and reinstated only by those who manage staff"
        " (permission systemadmin.manage_staff), by default superusers."
    )


class CannotSuspendSuperuser(RuleViolation):
    """Only another superuser may suspend one."""

    code = "cannot_suspend_superuser"
    default_detail = _("Only a superuser may suspend a superuser.")


class DemoActsOnReal(NotAllowed):
    """A demo account acts on what is not demo data."""

    code = "demo_account"
    default_detail = _(
        "You are signed in with a demo account. It may change demo accounts only; "
        "sign in with an account of your own."
    )


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
    default_detail = _("This is an account of staff. Off-board it first.")


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


class DemoChangesShared(NotAllowed):
    """A demo account would change settings, connections or backups of real accounts."""

    code = "demo_account"
    default_detail = _(
        "You are signed in with a demo account. It may not change what real accounts share; "
        "sign in with an account of your own."
    )


class NotServicePermission(RuleViolation):
    """An account that is not staff would get a permission of staff."""

    code = "not_a_service_permission"
    default_detail = _(
        "An account that is not staff can hold service permissions only. "
        "Make it staff and give it a role."
    )


class SuccessorIsNotStaff(RuleViolation):
    """Work would go to an account that cannot do it."""

    code = "successor_is_not_staff"
    default_detail = _("Choose an active colleague of staff to take over.")


# -- signing in ------------------------------------------------------------------------


class SignInRefused(DomainError):
    """401: what was given does not open the account."""

    status = 401
    title = _("You are not signed in.")

    def __init__(self, detail: Any = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers.setdefault("WWW-Authenticate", "Bearer")


class InvalidCredentials(SignInRefused):
    """Unknown name or wrong password: the caller is not told which."""

    code = "invalid_credentials"
    default_detail = _("Wrong username or password.")


class OtpRequired(SignInRefused):
    """The password was right and the account has a second factor."""

    code = "otp_required"
    default_detail = _("Send the code of your authenticator app, or a recovery code.")


class OtpInvalid(SignInRefused):
    """The code is wrong, old, or was used before."""

    code = "otp_invalid"
    default_detail = _("The code is not valid. Each code works once.")


class OtpThrottled(DomainError):
    """429: the last codes were wrong; wait before the next."""

    status = 429
    code = "otp_throttled"
    title = _("Too many wrong codes.")
    default_detail = _("Wait a moment before you try another code.")


class SignInLocked(DomainError):
    """429: too many failures for this name from this address."""

    status = 429
    code = "locked_out"
    title = _("Too many failed sign-ins.")
    default_detail = _("Too many failed sign-ins. Try again later.")


class SignInSuspended(NotAllowed):
    """The password was right, but the account is suspended."""

    code = "account_suspended"
    default_detail = _("Your account is suspended.")

    @classmethod
    def of(cls, user: Any) -> "SignInSuspended":
        """Say until when, which the member may know, and not why, which is the staff's."""
        until = user.suspended_until
        if until is None:
            return cls(extra={"suspended_until": None})
        shown = formats.date_format(timezone.localtime(until), "DATETIME_FORMAT")
        return cls(
            _("Your account is suspended until %(until)s (UTC).") % {"until": shown},
            extra={"suspended_until": until.isoformat().replace("+00:00", "Z")},
        )


class TwoFactorNotStarted(RuleViolation):
    """There is no new authenticator app to confirm."""

    code = "two_factor_not_started"
    default_detail = _("Begin the set-up of an authenticator app first.")


class TwoFactorNotEnabled(RuleViolation):
    """The account has no second factor."""

    code = "two_factor_not_enabled"
    default_detail = _("The account has no second factor.")


class TwoFactorMandatory(RuleViolation):
    """Staff cannot do without."""

    code = "two_factor_mandatory"
    default_detail = _("Staff need a second factor. You can replace yours, not remove it.")


class ColleagueSetsPasswordThemselves(RuleViolation):
    """Nobody sets the password of a colleague."""

    code = "colleague_sets_password"
    default_detail = _(
        "The password of staff is not set by others. "
        "Send the colleague a one-time link to choose a new one."
    )


class NoAddressOnFile(RuleViolation):
    """There is nowhere to send the link."""

    code = "no_address_on_file"
    default_detail = _("The account has no e-mail address to send the link to.")


class LinkNotValid(RuleViolation):
    """Used, expired, replaced, made for another address, or never made here."""

    code = "link_not_valid"
    default_detail = _("This link is not valid any more. Ask a colleague to send a new one.")


# -- demo ------------------------------------------------------------------------------


class DemoRowsInUse(RuleViolation):
    """A real row depends on a demo row."""

    code = "demo_rows_in_use"
    default_detail = _("Real rows depend on demo rows.")


class DemoPurgeRunning(RuleViolation):
    """Somebody else is purging."""

    code = "demo_purge_running"
    default_detail = _("The demo data is being removed already.")


# -- backups -----------------------------------------------------------------------------


class AuditVerificationRunning(RuleViolation):
    """One verification of the audit trail at a time."""

    code = "audit_verification_running"
    default_detail = _("The audit trail is being verified already.")


class NotificationNotFailed(RuleViolation):
    """Only what was given up is sent again."""

    code = "notification_not_failed"
    default_detail = _("It was sent already, or is still waiting to be sent.")


class BackupInProgress(RuleViolation):
    """One backup at a time; the running one is named in the answer."""

    code = "backup_in_progress"
    default_detail = _("A backup is already queued or running.")


class BackupWorkInProgress(RuleViolation):
    """Backup, verification, restore and retention exclude one another."""

    code = "backup_work_in_progress"
    default_detail = _("Another backup, verification or restore is running.")


class RestoreInProgress(RuleViolation):
    """One restore at a time."""

    code = "restore_in_progress"
    default_detail = _("A restore is already queued or running.")


class BackupNotRestorable(RuleViolation):
    """Only a complete backup whose manifest holds may be restored, verified or downloaded."""

    code = "backup_not_restorable"
    default_detail = _("This backup is not complete.")


class RestoreNotConfirmed(InvalidInput):
    """The typed name is not the database's."""

    code = "restore_not_confirmed"

    def __init__(self) -> None:
        text = _("Type the exact name of the database that will be replaced.")
        super().__init__("confirm", text, code="restore_not_confirmed")


class RestoreOfAnotherInstallation(InvalidInput):
    """The backup is another installation's, and its identity was not typed."""

    code = "other_installation"

    def __init__(self, uid: str, name: str) -> None:
        text = _(
            "Another installation made this backup: %(uid)s (%(name)s). To replace this "
            "database by that one's, type that identity."
        ) % {"uid": uid, "name": name or "?"}
        super().__init__("confirm_installation", text, code="other_installation")


class BackupFailed(Unavailable):
    """The backup that had to come first failed, so nothing else was done."""

    code = "backup_failed"
    default_detail = _("The backup failed; nothing else was done.")


class MigrationFailed(Unavailable):
    """A migration failed; the text names the backup from before and how to go back to it."""

    code = "migration_failed"
    default_detail = _("A migration failed.")

    def __init__(self, error: str, backup: str, database: str) -> None:
        """Name the error, the backup (empty when none was made) and the database."""
        said = _("A migration failed: %s") % error
        way_back = _(
            "The backup from before is %(backup)s. Mend the cause and migrate again, or go back: "
            "check out the version from before, then run "
            "`manage.py restore_backup %(backup)s --rescue --confirm %(database)s`."
        ) % {"backup": backup, "database": database}
        super().__init__(f"{said}\n{way_back}" if backup else said)


class TaskCannotRun(RuleViolation):
    """It is no registered task, or its arguments do not fit."""

    code = "task_cannot_run"


class TaskIsRunning(RuleViolation):
    """A worker has it."""

    code = "task_is_running"
    default_detail = _("A worker is running this task.")


class ScheduleIsDeclared(RuleViolation):
    """The code says that it runs; the row would come back."""

    code = "schedule_is_declared"
    default_detail = _("This schedule belongs to the release and cannot be deleted.")


class RoleIsShipped(RuleViolation):
    """It means the same on every installation."""

    code = "role_is_shipped"
    default_detail = _("This role belongs to the release. Make one of your own instead.")


class RoleInUse(RuleViolation):
    """Accounts hold it."""

    code = "role_in_use"
    default_detail = _("Accounts have this role. Take it from them first.")
