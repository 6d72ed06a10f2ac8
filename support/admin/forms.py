"""Forms of the ticket pages."""

from datetime import tzinfo
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from support.models import (
    Category,
    Macro,
    Priority,
    Reply,
    ReplyTemplate,
    SavedView,
    Status,
    Ticket,
)
from support.numbering import find_number
from support.services import workload
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable, is_whole_number, parse_moment
from systemadmin.models import User
from systemadmin.services.account_lookup import find_accounts, is_whole_address


class ManyFilesInput(forms.ClearableFileInput):
    """A file input that takes several."""

    allow_multiple_selected = True


class ManyFiles(forms.FileField):
    """Several files, or none."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(ManyFiles, self).clean(file, initial) for file in files if file]


class TicketChoice(forms.Field):
    """Another ticket by its number or key."""

    def to_python(self, value: Any) -> Ticket | None:
        text = str(value or "").strip()[:40]
        if not text:
            return None
        number = find_number(text)
        found = Ticket.objects.filter(number=number).first() if number else None
        if found is None and is_whole_number(text):
            found = Ticket.objects.filter(pk=int(text)).first()
        if found is None:
            raise forms.ValidationError(_("There is no such ticket."))
        return found

    def prepare_value(self, value: Any) -> Any:
        return value.number if isinstance(value, Ticket) else value


class ReplyForm(forms.Form):
    """The reply box."""

    template = forms.ModelChoiceField(
        label=_("Template"),
        queryset=ReplyTemplate.objects.filter(is_active=True),
        required=False,
        empty_label=_("No template"),
    )
    body = forms.CharField(
        label=_("Reply"), required=False, widget=forms.Textarea(attrs={"rows": 8}), strip=False
    )
    internal = forms.BooleanField(label=_("Internal note"), required=False)
    status = forms.ChoiceField(label=_("Then set"), required=False)
    attachments = ManyFiles(label=_("Files"), required=False)
    to_all = forms.BooleanField(label=_("Also to everybody taking part"), required=False)
    expected_last_reply = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usual = [("", _("The usual status"))]
        self.fields["status"].choices = usual + [
            choice for choice in Status.choices if choice[0] != Status.NEW
        ]


class DraftForm(forms.Form):
    """What a page sends of itself while somebody types."""

    kind = forms.ChoiceField(choices=Reply.Kind.choices)
    body = forms.CharField(required=False, strip=False)
    expected_version = forms.IntegerField(min_value=0, required=False)


class TemplateForm(forms.Form):
    """A template to put into the reply box."""

    use = forms.ModelChoiceField(queryset=ReplyTemplate.objects.filter(is_active=True))


class SetForm(forms.Form):
    """One thing to change; what is not sent stays."""

    status = forms.ChoiceField(label=_("Status"), choices=Status.choices, required=False)
    priority = forms.ChoiceField(label=_("Priority"), choices=Priority.choices, required=False)
    assignee = forms.ModelChoiceField(queryset=User.objects.none(), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = workload()


class SnoozeForm(forms.Form):
    """Until when: one of the moments offered, or one that was written in the person's zone."""

    until = forms.CharField(required=False, max_length=40)
    moment = forms.DateTimeField(required=False)

    def __init__(self, *args: Any, zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        text, moment = data.get("until"), data.get("moment")
        data["until"] = None
        if text == "custom":
            if moment is None:
                raise forms.ValidationError(_("Say until when."))
            data["until"] = moment.replace(tzinfo=self.zone)
        elif text:
            try:
                data["until"] = parse_moment(text, zone=None)
            except Unreadable as error:
                raise forms.ValidationError(_("Say until when.")) from error
        return data


class SavedViewForm(forms.ModelForm):
    """A list to come back to."""

    class Meta:
        model = SavedView
        fields = (
            "name", "is_shared", "which", "whose", "priority", "category", "tag", "words",
            "is_overdue",
        )  # fmt: skip


class ParticipantForm(forms.Form):
    """Somebody to take part."""

    address = forms.CharField(label=_("E-mail address"), max_length=254)
    name = forms.CharField(label=_("Name"), max_length=150, required=False)


class KeyForm(forms.Form):
    """One row of the ticket's own."""

    key = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class AgentField(forms.ModelChoiceField):
    """One of those who answer tickets, with how much each has to do."""

    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=User.objects.none(), empty_label=_("Nobody"), **options)

    def label_from_instance(self, obj: User) -> str:
        """Name, open tickets, and whether the agent is away."""
        agent: Any = obj
        here, away = _("%(agent)s (%(count)d open)"), _("%(agent)s (%(count)d open, away)")
        text = here if agent.takes_tickets else away
        return text % {"agent": agent.get_username(), "count": agent.open_tickets}


class AssignForm(forms.Form):
    """Who is to answer them."""

    assignee = AgentField(label=_("Assignee"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = workload()


class PropertiesForm(forms.Form):
    """Where a ticket stands and what it is filed under."""

    status = forms.ChoiceField(label=_("Status"), choices=Status.choices)
    priority = forms.ChoiceField(label=_("Priority"), choices=Priority.choices)
    assignee = AgentField(label=_("Assignee"), required=False)
    category = forms.ModelChoiceField(
        label=_("Category"), queryset=Category.objects.all(), required=False
    )
    tags = forms.CharField(label=_("Tags"), required=False, help_text=_("Separated by commas."))
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = workload()

    def clean_tags(self) -> list[str]:
        return [tag for tag in (t.strip() for t in self.cleaned_data["tags"].split(",")) if tag]


class MacroForm(forms.Form):
    """One macro to apply."""

    macro = forms.ModelChoiceField(
        label=_("Macro"), queryset=Macro.objects.filter(is_active=True), empty_label=None
    )


class OtherTicketForm(forms.Form):
    """Another ticket."""

    ticket = TicketChoice(label=_("Ticket"), help_text=_("Its number."))


class TemplateReplyForm(forms.Form):
    """One answer to many tickets."""

    template = forms.ModelChoiceField(
        label=_("Template"), queryset=ReplyTemplate.objects.filter(is_active=True)
    )
    status = forms.ChoiceField(label=_("Then set"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usual = [("", _("The usual status"))]
        self.fields["status"].choices = usual + [
            choice for choice in Status.choices if choice[0] != Status.NEW
        ]


class PriorityForm(forms.Form):
    """A priority for many tickets."""

    priority = forms.ChoiceField(label=_("Priority"), choices=Priority.choices)


class SplitForm(forms.Form):
    """Which replies become a ticket of their own."""

    subject = forms.CharField(label=_("Subject of the new ticket"), max_length=255)
    replies = forms.MultipleChoiceField(choices=())

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pks = ticket.replies.values_list("pk", flat=True)
        self.fields["replies"].choices = [(pk, pk) for pk in pks]

    def clean_replies(self) -> list[int]:
        return [int(pk) for pk in self.cleaned_data["replies"]]


class NewTicketForm(forms.Form):
    """A ticket opened for a member."""

    user = forms.CharField(
        label=_("User"), max_length=254, help_text=_("User name, e-mail or external id.")
    )
    subject = forms.CharField(label=_("Subject"), max_length=255)
    body = forms.CharField(label=_("What they said"), widget=forms.Textarea(attrs={"rows": 8}))
    priority = forms.ChoiceField(
        label=_("Priority"), choices=Priority.choices, initial=Priority.MEDIUM
    )
    category = forms.ModelChoiceField(
        label=_("Category"), queryset=Category.objects.filter(is_active=True), required=False
    )

    def __init__(self, *args: Any, http: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http = http

    def clean_user(self) -> User:
        asked = self.cleaned_data["user"].strip()
        accounts = User.objects.filter(is_active=True)
        for field in ("username", "external_id"):
            found = list(accounts.filter(**{field: asked})[:2])
            if len(found) == 1:
                return found[0]
        if is_whole_address(asked):
            try:
                found = list(
                    find_accounts(
                        http=self.http, actor=self.http.user, accounts=accounts, text=asked
                    ).filter(email__iexact=asked)[:2]
                )
            except DomainError as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
            if len(found) == 1:
                return found[0]
        raise forms.ValidationError(_("There is no such account, or more than one."))
