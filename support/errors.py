"""The ways the help desk refuses."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import RuleViolation, Unprocessable


class TicketAlreadyClosed(RuleViolation):
    """Nothing is added to a closed ticket."""

    code = "ticket_already_closed"
    default_detail = _("This ticket is closed. Reopen it, or open a new one.")


class TicketMerged(RuleViolation):
    """The matter goes on elsewhere."""

    code = "ticket_merged"
    default_detail = _("This ticket was merged into another one; continue there.")


class StatusNotReachable(RuleViolation):
    """The status may not follow the present one."""

    code = "status_not_reachable"
    default_detail = _("This status may not follow the present one.")


class RepliedMeanwhile(RuleViolation):
    """Somebody wrote since the author last looked."""

    code = "replied_meanwhile"
    default_detail = _("Someone replied meanwhile. Read it, then decide whether to send yours.")


class ClientKeyReused(Unprocessable):
    """The key was used for a different reply."""

    code = "client_key_reused"
    default_detail = _("This client key was already used for a different reply.")


class CannotMerge(RuleViolation):
    """These two tickets may not become one."""

    code = "cannot_merge"
    default_detail = _("These tickets cannot be merged.")


class DifferentRequesters(CannotMerge):
    """A merge would show one customer what another wrote."""

    code = "different_requesters"
    default_detail = _(
        "The tickets belong to different people; merged, each would read what the other wrote."
    )


class NothingSuggested(RuleViolation):
    """No mail of this ticket mentions another one."""

    code = "nothing_suggested"
    default_detail = _("No mail of this ticket mentions another ticket.")


class CannotSplit(RuleViolation):
    """The selection leaves one of the two tickets empty."""

    code = "cannot_split"
    default_detail = _("Choose some replies of this ticket, but not all.")


class AlreadyLinked(RuleViolation):
    """The link exists."""

    code = "already_linked"
    default_detail = _("These tickets are already linked.")


class NotResolvedYet(RuleViolation):
    """A rating before the end."""

    code = "not_resolved_yet"
    default_detail = _("You can rate the ticket once it is resolved.")


class AlreadyRated(RuleViolation):
    """One verdict per ticket."""

    code = "already_rated"
    default_detail = _("You have already rated this ticket.")


class NotAnAgent(RuleViolation):
    """The account does not answer tickets."""

    code = "not_an_agent"
    default_detail = _("This account cannot be given tickets.")


class InUse(RuleViolation):
    """Others depend on it."""

    code = "in_use"
    default_detail = _("It is in use. Deactivate it instead.")


class MailNotFailed(RuleViolation):
    """Only a mail that was given up or came back is sent again."""

    code = "mail_not_failed"
    default_detail = _("It was sent already, or is still waiting to be sent.")
