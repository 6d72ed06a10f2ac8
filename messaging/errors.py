"""The ways the messaging desk refuses."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import DomainError, NotAllowed, RuleViolation, Unprocessable


class SenderSuspended(NotAllowed):
    """A suspended account reads but does not write."""

    code = "account_suspended"
    default_detail = _("Your account is suspended: you cannot send messages.")


class MessagesNotAccepted(NotAllowed):
    """A block or a privacy choice; which of them is the recipient's business."""

    code = "messages_not_accepted"
    default_detail = _("This member does not accept messages from you.")


class RecipientUnavailable(RuleViolation):
    """The account is closed."""

    code = "recipient_unavailable"
    default_detail = _("This member can no longer receive messages.")


class RecipientBlockedByYou(RuleViolation):
    """Whoever blocks someone does not write to them either."""

    code = "recipient_blocked_by_you"
    default_detail = _("You have blocked this member. Remove the block to write to them.")


class TeamDoesNotRead(RuleViolation):
    """The team's own thread is one way."""

    code = "team_does_not_read_here"
    default_detail = _("Messages of the team cannot be answered here. Open a ticket instead.")


class TooManyMessages(DomainError):
    """429: a quota window is full."""

    status = 429
    code = "message_quota_exceeded"
    title = _("Too many messages.")


class TooManyStreams(DomainError):
    """429: this process holds as many event streams as it may."""

    status = 429
    code = "too_many_streams"
    title = _("Too many event streams are open. Try again in a moment.")


class ClientIdReused(Unprocessable):
    """One client id, two contents."""

    code = "client_id_reused"
    default_detail = _("A different message was already sent with this client_id.")


class LinkNotAllowed(RuleViolation):
    """The link is not allowed, or this sender may not send links to this recipient."""

    code = "link_not_allowed"
    default_detail = _("This message contains a link that is not allowed.")


class TooManyLinks(RuleViolation):
    """More links than a letter needs."""

    code = "too_many_links"


class RepeatedContent(RuleViolation):
    """The same text to one member after the other."""

    code = "repeated_content"
    default_detail = _("You have sent this text to several members already.")


class NotYourMessage(NotAllowed):
    """Only the author edits."""

    code = "not_your_message"
    default_detail = _("You can only edit your own messages.")


class EditWindowOver(RuleViolation):
    """Too late to edit."""

    code = "edit_window_over"
    default_detail = _("This message can no longer be edited.")


class UnsendWindowOver(RuleViolation):
    """Too late to take it back."""

    code = "unsend_window_over"
    default_detail = _("This message can no longer be taken back.")


class CannotMarkUnread(RuleViolation):
    """One's own message, or an erased one: there is nothing to read."""

    code = "cannot_mark_unread"
    default_detail = _("Only a message that you received can be marked as unread.")


class MessageErased(RuleViolation):
    """Nothing is left of it."""

    code = "message_erased"
    default_detail = _("This message has been erased.")


class AlreadyReported(RuleViolation):
    """One report a member and message."""

    code = "already_reported"
    default_detail = _("You have already reported this message.")


class CannotReport(RuleViolation):
    """One's own message, or the team's."""

    code = "cannot_report"
    default_detail = _("You can only report messages that another member sent you.")


class ReportAlreadyHandled(RuleViolation):
    """Another member of staff has handled the report already."""

    code = "report_already_handled"
    default_detail = _("This report has already been handled.")


class BroadcastNotEditable(RuleViolation):
    """It is on its way, or over."""

    code = "broadcast_not_editable"
    default_detail = _("A broadcast can only be changed while it is a draft.")


class BroadcastNotSendable(RuleViolation):
    """Already sent, sending or cancelled."""

    code = "broadcast_not_sendable"
    default_detail = _("This broadcast has already been sent or cancelled.")


class BroadcastNotCancellable(RuleViolation):
    """Nothing is left to stop."""

    code = "broadcast_not_cancellable"
    default_detail = _("This broadcast is already finished.")
