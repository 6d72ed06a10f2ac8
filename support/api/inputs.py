"""What the API accepts: strict, and nothing is ever saved from here."""

from typing import Any

from rest_framework import serializers

from support.models import (
    BusinessCalendar,
    Category,
    Faq,
    Macro,
    Priority,
    Reply,
    ReplyTemplate,
    SavedView,
    SlaPolicy,
    Status,
    Ticket,
)
from systemadmin.foundation.api import KeyField, ReferenceField, StrictSerializer
from systemadmin.models import User

MAX_SQL_INT = 2**31 - 1


class Files(serializers.ListField):
    """Uploaded files of a multipart request."""

    child = serializers.FileField(max_length=255, allow_empty_file=True)


class Tags(serializers.ListField):
    """Words to file under."""

    child = serializers.CharField(max_length=50)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=30, **kwargs)


class TicketInput(StrictSerializer):
    """A ticket that staff open for a user."""

    user = ReferenceField(queryset=User.objects.filter(is_active=True))
    subject = serializers.CharField(max_length=255)
    body = serializers.CharField(max_length=50_000, trim_whitespace=False)
    priority = serializers.ChoiceField(Priority.choices, default=Priority.MEDIUM)
    category = KeyField(queryset=Category.objects.all(), allow_null=True, default=None)
    tags = Tags(default=list)
    assignee = ReferenceField(
        queryset=User.objects.filter(is_staff=True), allow_null=True, default=None
    )
    attachments = Files(default=list)


class TicketChangesInput(StrictSerializer):
    """What PUT sets as a whole and PATCH in part."""

    subject = serializers.CharField(max_length=255, required=False)
    status = serializers.ChoiceField(Status.choices)
    priority = serializers.ChoiceField(Priority.choices)
    assignee = ReferenceField(queryset=User.objects.filter(is_staff=True), allow_null=True)
    category = KeyField(queryset=Category.objects.all(), allow_null=True)
    tags = Tags()


class StaffReplyInput(StrictSerializer):
    """An answer or a note."""

    body = serializers.CharField(
        max_length=50_000, allow_blank=True, default="", trim_whitespace=False
    )
    internal = serializers.BooleanField(default=False)
    template = KeyField(
        queryset=ReplyTemplate.objects.filter(is_active=True), allow_null=True, default=None
    )
    status = serializers.ChoiceField(Status.choices, allow_null=True, default=None)
    attachments = Files(default=list)
    expected_last_reply = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, allow_null=True, default=None
    )
    client_key = serializers.CharField(max_length=100, allow_null=True, default=None)
    to_all = serializers.BooleanField(default=False)


class ParticipantInput(StrictSerializer):
    """Somebody who shall take part in a ticket."""

    address = serializers.CharField(max_length=254)
    name = serializers.CharField(max_length=150, allow_blank=True, default="")


class ReplyEditInput(StrictSerializer):
    """The corrected text of one's own reply."""

    body = serializers.CharField(max_length=50_000, trim_whitespace=False)


class TicketMergeInput(StrictSerializer):
    """Where the ticket goes on."""

    into = KeyField(queryset=Ticket.objects.all())


class TicketLinkInput(StrictSerializer):
    """Input of linking two tickets: the other ticket."""

    ticket = KeyField(queryset=Ticket.objects.all())
    note = serializers.CharField(max_length=200, allow_blank=True, default="")


class TicketUnlinkInput(StrictSerializer):
    """Input of removing a link: the other ticket."""

    ticket = KeyField(queryset=Ticket.objects.all())


class TicketSplitInput(StrictSerializer):
    """Which replies become a ticket of their own, and what it is about."""

    replies = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        min_length=1,
        max_length=500,
    )
    subject = serializers.CharField(max_length=255)


class MacroRunInput(StrictSerializer):
    """The macro to apply."""

    macro = KeyField(queryset=Macro.objects.filter(is_active=True))


class TicketPresenceInput(StrictSerializer):
    """Whether the agent is writing."""

    is_writing = serializers.BooleanField(default=False)


class MemberTicketInput(StrictSerializer):
    """A ticket of the member's own."""

    subject = serializers.CharField(max_length=255)
    body = serializers.CharField(max_length=50_000, trim_whitespace=False)
    priority = serializers.ChoiceField(Priority.choices, default=Priority.MEDIUM)
    category = KeyField(
        queryset=Category.objects.filter(is_active=True), allow_null=True, default=None
    )
    attachments = Files(default=list)


class MemberReplyInput(StrictSerializer):
    """The member's words."""

    body = serializers.CharField(max_length=50_000, trim_whitespace=False)
    attachments = Files(default=list)
    expected_last_reply = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, allow_null=True, default=None
    )
    client_key = serializers.CharField(max_length=100, allow_null=True, default=None)


class TicketRatingInput(StrictSerializer):
    """Input of rating a resolved ticket."""

    score = serializers.IntegerField(min_value=1, max_value=5)
    comment = serializers.CharField(max_length=2000, allow_blank=True, default="")


class FaqVoteInput(StrictSerializer):
    """Input of a vote on an answer: whether it helped."""

    helpful = serializers.BooleanField()


class ReplyTemplateInput(StrictSerializer):
    """A prepared answer."""

    code = serializers.SlugField(max_length=60)
    language = serializers.ChoiceField(User.Language.choices, default="en")
    title = serializers.CharField(max_length=120)
    body = serializers.CharField(max_length=20_000, trim_whitespace=False)
    category = KeyField(queryset=Category.objects.all(), allow_null=True, required=False)
    is_active = serializers.BooleanField(default=True)


class MacroInput(StrictSerializer):
    """An answer with what to do besides."""

    name = serializers.CharField(max_length=100)
    template = KeyField(queryset=ReplyTemplate.objects.all(), allow_null=True, required=False)
    is_internal = serializers.BooleanField(default=False)
    status = serializers.ChoiceField(Status.choices, allow_blank=True, default="")
    priority = serializers.ChoiceField(Priority.choices, allow_blank=True, default="")
    assign = serializers.ChoiceField(Macro.Assign.choices, allow_blank=True, default="")
    agent = ReferenceField(
        queryset=User.objects.filter(is_staff=True), allow_null=True, required=False
    )
    add_tags = Tags(default=list)
    is_active = serializers.BooleanField(default=True)


class FaqInput(StrictSerializer):
    """A question with its answer."""

    question = serializers.CharField(max_length=255)
    answer = serializers.CharField(max_length=20_000, trim_whitespace=False)
    language = serializers.ChoiceField(User.Language.choices, default="en")
    category = KeyField(queryset=Category.objects.all(), allow_null=True, required=False)
    position = serializers.IntegerField(min_value=0, max_value=MAX_SQL_INT, default=0)
    is_published = serializers.BooleanField(default=False)


class TicketCategoryInput(StrictSerializer):
    """What tickets are about."""

    code = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=100)
    name_es = serializers.CharField(max_length=100, allow_blank=True, default="")
    position = serializers.IntegerField(min_value=0, max_value=MAX_SQL_INT, default=0)
    is_active = serializers.BooleanField(default=True)
    assignment = serializers.ChoiceField(Category.Assignment.choices, allow_blank=True, default="")
    is_confined = serializers.BooleanField(required=False)
    readers = serializers.ListField(
        child=KeyField(queryset=User.objects.filter(is_staff=True)), required=False, max_length=500
    )


class BusinessCalendarInput(StrictSerializer):
    """When the desk works."""

    name = serializers.CharField(max_length=100)
    timezone = serializers.CharField(max_length=64, default="UTC")
    windows = serializers.DictField(
        child=serializers.ListField(
            child=serializers.ListField(
                child=serializers.CharField(max_length=5), min_length=2, max_length=2
            ),
            max_length=24,
        ),
        default=dict,
    )
    holidays = serializers.ListField(child=serializers.DateField(), max_length=1000, default=list)


def minutes_field() -> serializers.IntegerField:
    """Return working minutes; a promise of more than ten years is a slip."""
    return serializers.IntegerField(
        min_value=1, max_value=60 * 24 * 3660, allow_null=True, required=False
    )


class SlaPolicyInput(StrictSerializer):
    """What the desk promises."""

    name = serializers.CharField(max_length=100)
    position = serializers.IntegerField(min_value=0, max_value=MAX_SQL_INT, default=0)
    is_active = serializers.BooleanField(default=True)
    priority = serializers.ChoiceField(Priority.choices, allow_blank=True, default="")
    category = KeyField(queryset=Category.objects.all(), allow_null=True, required=False)
    calendar = KeyField(queryset=BusinessCalendar.objects.all())
    first_response_minutes = minutes_field()
    next_response_minutes = minutes_field()
    resolution_minutes = minutes_field()
    escalate_to = ReferenceField(
        queryset=User.objects.filter(is_staff=True), allow_null=True, required=False
    )


INPUTS = {
    ReplyTemplate: ReplyTemplateInput,
    Macro: MacroInput,
    Faq: FaqInput,
    Category: TicketCategoryInput,
    BusinessCalendar: BusinessCalendarInput,
    SlaPolicy: SlaPolicyInput,
}


class DraftInput(StrictSerializer):
    """What is typed; an empty text ends the draft."""

    kind = serializers.ChoiceField(Reply.Kind.choices)
    body = serializers.CharField(max_length=50_000, trim_whitespace=False, allow_blank=True)
    expected_version = serializers.IntegerField(
        min_value=0, max_value=MAX_SQL_INT, allow_null=True, default=None
    )


class SnoozeInput(StrictSerializer):
    """Until when the ticket is set aside; null takes it back."""

    until = serializers.DateTimeField(allow_null=True)


class SavedViewInput(StrictSerializer):
    """A list of tickets to come back to."""

    name = serializers.CharField(max_length=40)
    is_shared = serializers.BooleanField(default=False)
    which = serializers.ChoiceField(
        SavedView.StatusFilter.choices, default=SavedView.StatusFilter.OPEN
    )
    whose = serializers.ChoiceField(SavedView.AssigneeFilter.choices, allow_blank=True, default="")
    priority = serializers.ChoiceField(Priority.choices, allow_blank=True, default="")
    category = KeyField(queryset=Category.objects.all(), allow_null=True, default=None)
    tag = serializers.CharField(max_length=50, allow_blank=True, default="")
    words = serializers.CharField(max_length=100, allow_blank=True, default="")
    is_overdue = serializers.BooleanField(default=False)
