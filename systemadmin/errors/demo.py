"""Refusals about demo accounts and demo data."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import NotAllowed, RuleViolation


class DemoActsOnReal(NotAllowed):
    """A demo account acts on what is not demo data."""

    code = "demo_account"
    default_detail = _(
        "You are signed in with a demo account. It may change demo accounts only; "
        "sign in with an account of your own."
    )


class DemoChangesShared(NotAllowed):
    """A demo account would change settings, connections or backups of real accounts."""

    code = "demo_account"
    default_detail = _(
        "You are signed in with a demo account. It may not change what real accounts share; "
        "sign in with an account of your own."
    )


class DemoRowsInUse(RuleViolation):
    """A real row depends on a demo row."""

    code = "demo_rows_in_use"
    default_detail = _("Real rows depend on demo rows.")


class DemoPurgeRunning(RuleViolation):
    """Somebody else is purging."""

    code = "demo_purge_running"
    default_detail = _("The demo data is being removed already.")
