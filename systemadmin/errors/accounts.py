"""Refusals about accounts and their roles."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import NotAllowed, RuleViolation


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


class SuperuserExists(RuleViolation):
    """The command line makes the first superuser; the others are made by two people."""

    code = "superuser_exists"
    default_detail = _(
        "There is a superuser already. Make the account in the admin and give it its rights "
        "there: another superuser agrees to them."
    )


class RoleIsShipped(RuleViolation):
    """It means the same on every installation."""

    code = "role_is_shipped"
    default_detail = _("This role belongs to the release. Make one of your own instead.")


class RoleInUse(RuleViolation):
    """The role cannot be deleted while accounts hold it."""

    code = "role_in_use"
    default_detail = _("Accounts have this role. Take it from them first.")
