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
    """It cannot be deleted while other rows use it."""

    code = "in_use"
    default_detail = _("It is in use. Deactivate it instead.")


class TooManyParticipants(RuleViolation):
    """The ticket has as many participants as it may have."""

    code = "too_many_participants"
    default_detail = _("This ticket has too many people taking part.")


class FileLinkExpired(RuleViolation):
    """The link is over or was revoked."""

    code = "file_link_expired"
    default_detail = _("This link is over.")


class NotSpam(RuleViolation):
    """There is no mark to take back."""

    code = "not_spam"
    default_detail = _("This ticket is not marked as spam.")


class UnknownNoticeEvent(RuleViolation):
    """There are no notices of this event."""

    code = "unknown_event"
    default_detail = _("There are no notices of this event.")


class MailNotFailed(RuleViolation):
    """Only a mail that was given up or came back is sent again."""

    code = "mail_not_failed"
    default_detail = _("It was sent already, or is still waiting to be sent.")


class DraftChangedElsewhere(RuleViolation):
    """The same draft was saved in another window or on another machine."""

    code = "draft_changed_elsewhere"
    default_detail = _("You changed this draft in another window. Keep one of the two texts.")


class TicketDone(RuleViolation):
    """Only what is open is set aside for later."""

    code = "ticket_done"
    default_detail = _("This ticket is resolved or closed; only open ones are snoozed.")
