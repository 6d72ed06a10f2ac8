"""The ways the base app's rules refuse."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import RuleViolation


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


class CannotSuspendSelf(RuleViolation):
    """Staff cannot lock themselves out."""

    code = "cannot_suspend_self"
    default_detail = _("You cannot suspend your own account.")


class CannotSuspendSuperuser(RuleViolation):
    """Only another superuser may suspend one."""

    code = "cannot_suspend_superuser"
    default_detail = _("Only a superuser may suspend a superuser.")
