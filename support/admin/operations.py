"""What the page of a ticket can do: each button is one operation, with the right that it needs."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from support import lifecycle
from support.admin import forms
from support.admin.people import agent_of
from support.models import FileLink, InboundMessage, Reply, Ticket
from support.services import (
    apply_macro,
    join_suggested,
    link_tickets,
    merge_tickets,
    render_for,
    reply_as_staff,
    split_ticket,
    update_ticket,
)
from support.services.drafts import discard_draft, save_draft
from support.services.file_links import revoke_link
from support.services.participants import add_participant, remove_participant
from support.services.readings import mark_unread
from support.services.snoozing import snooze_ticket
from support.services.spam import mark_spam, unmark_spam
from systemadmin.foundation.errors import NotFound
from systemadmin.preferences import zone_of


def _valid(form: Any) -> dict[str, Any]:
    if not form.is_valid():
        raise ValidationError(
            [f"{name}: {text}" for name, texts in form.errors.items() for text in texts]
        )
    return form.cleaned_data


def _reply(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.ReplyForm(request.POST, request.FILES))
    status = data["status"] or None
    if request.POST.get("then") == "resolve":
        status = lifecycle.RESOLVED
    reply = reply_as_staff(
        actor=agent_of(request),
        ticket=ticket,
        source=Reply.Source.ADMIN,
        **{**data, "status": status},
    )
    discard_draft(user=agent_of(request), ticket=ticket, kind=reply.kind)
    return ticket


def opens_next_ticket(request: HttpRequest) -> bool:
    """Return whether the button leads to the next ticket of the queue."""
    return request.POST.get("then") in ("next", "resolve")


def done_message(request: HttpRequest, named: str, ticket: Ticket) -> str:
    """Return what was done, in words."""
    said = {
        "reply": _("Note saved: %(ticket)s")
        if request.POST.get("internal")
        else _("Sent: %(ticket)s"),
        "snooze": _("Snoozed: %(ticket)s") if request.POST.get("until") != "" else _("Done."),
        "draft": _("Draft saved."),
        "take": _("Assigned to you: %(ticket)s"),
        "spam": _("Marked as spam: %(ticket)s"),
        "not_spam": _("No longer spam: %(ticket)s"),
        "unread": _("Left as unread: %(ticket)s"),
        "merge": _("Merged: %(ticket)s"),
        "join": _("Merged: %(ticket)s"),
    }.get(named, _("Done."))
    return said % {"ticket": ticket.subject} if "%(" in said else said


def _keep_draft(request: HttpRequest, ticket: Ticket) -> Ticket:
    """Save what was typed, where no script does it."""
    kind = Reply.Kind.INTERNAL if request.POST.get("internal") else Reply.Kind.PUBLIC
    save_draft(actor=agent_of(request), ticket=ticket, kind=kind, body=request.POST.get("body", ""))
    return ticket


def _use_template(request: HttpRequest, ticket: Ticket) -> Ticket:
    """Put a filled-in template behind what was typed, where no script does it."""
    template = _valid(forms.TemplateForm(request.POST))["use"]
    text = render_for(template=template, ticket=ticket, agent=agent_of(request))
    body = request.POST.get("body", "").rstrip()
    save_draft(
        actor=agent_of(request),
        ticket=ticket,
        kind=Reply.Kind.PUBLIC,
        body=f"{body}\n\n{text}" if body else text,
    )
    return ticket


def _set(request: HttpRequest, ticket: Ticket) -> Ticket:
    """Change one thing: status, priority or assignee."""
    data = _valid(forms.SetForm(request.POST))
    changes = {name: data[name] for name in data if name in request.POST}
    return update_ticket(actor=agent_of(request), ticket=ticket, changes=changes)


def _snooze(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.SnoozeForm(request.POST, zone=zone_of(request)))
    return snooze_ticket(actor=agent_of(request), ticket=ticket, until=data["until"])


def _unread(request: HttpRequest, ticket: Ticket) -> Ticket:
    mark_unread(user=agent_of(request), ticket=ticket)
    return ticket


def view_values(request: HttpRequest) -> dict[str, Any]:
    """Return what a view is to show; raises `ValidationError`."""
    return _valid(forms.SavedViewForm(request.POST))


def _change(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.PropertiesForm(request.POST))
    version = data.pop("version")
    return update_ticket(
        actor=agent_of(request), ticket=ticket, changes=data, expected_version=version
    )


def _take(request: HttpRequest, ticket: Ticket) -> Ticket:
    return update_ticket(
        actor=agent_of(request), ticket=ticket, changes={"assignee": agent_of(request)}
    )


def _macro(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.MacroForm(request.POST))
    return apply_macro(actor=agent_of(request), ticket=ticket, macro=data["macro"])


def _other(request: HttpRequest) -> Ticket:
    other = _valid(forms.OtherTicketForm(request.POST))["ticket"]
    if not Ticket.objects.visible_to(request.user).filter(pk=other.pk).exists():
        raise NotFound
    return other


def _merge(request: HttpRequest, ticket: Ticket) -> Ticket:
    return merge_tickets(actor=agent_of(request), source=ticket, into=_other(request))


def _join(request: HttpRequest, ticket: Ticket) -> Ticket:
    suggested = suggested_for(request, ticket)
    if suggested is None:
        raise NotFound
    return join_suggested(actor=agent_of(request), ticket=ticket)


def suggested_for(request: HttpRequest, ticket: Ticket) -> Ticket | None:
    """Return the ticket that a mail of this one mentions, if this agent may see it."""
    message = InboundMessage.objects.suggested_for(ticket).first()
    other = message.may_belong_to if message else None
    other = (other.merged_into or other) if other else None
    if other is None or not Ticket.objects.visible_to(request.user).filter(pk=other.pk).exists():
        return None
    return other


def _link(request: HttpRequest, ticket: Ticket) -> Ticket:
    link_tickets(actor=agent_of(request), ticket=ticket, other=_other(request))
    return ticket


def _split(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.SplitForm(request.POST, ticket=ticket))
    return split_ticket(actor=agent_of(request), ticket=ticket, **data)


def _add_participant(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.ParticipantForm(request.POST))
    add_participant(actor=agent_of(request), ticket=ticket, **data)
    return ticket


def _remove_participant(request: HttpRequest, ticket: Ticket) -> Ticket:
    key = _valid(forms.KeyForm(request.POST))["key"]
    remove_participant(actor=agent_of(request), ticket=ticket, participant=key)
    return ticket


def _revoke_link(request: HttpRequest, ticket: Ticket) -> Ticket:
    key = _valid(forms.KeyForm(request.POST))["key"]
    link = FileLink.objects.filter(message__ticket=ticket, pk=key).first()
    if link is None:
        raise NotFound
    revoke_link(actor=agent_of(request), link=link)
    return ticket


def _spam(request: HttpRequest, ticket: Ticket) -> Ticket:
    return mark_spam(
        actor=agent_of(request), ticket=ticket, block=bool(request.POST.get("block_sender"))
    )


def _not_spam(request: HttpRequest, ticket: Ticket) -> Ticket:
    return unmark_spam(actor=agent_of(request), ticket=ticket)


OPERATIONS: dict[str, tuple[str, Callable[[HttpRequest, Ticket], Ticket]]] = {
    "reply": ("support.reply_ticket", _reply),
    "change": ("support.change_ticket", _change),
    "draft": ("support.reply_ticket", _keep_draft),
    "use_template": ("support.reply_ticket", _use_template),
    "set": ("support.change_ticket", _set),
    "snooze": ("support.change_ticket", _snooze),
    "unread": ("support.view_ticket", _unread),
    "take": ("support.change_ticket", _take),
    "macro": ("support.reply_ticket", _macro),
    "merge": ("support.merge_ticket", _merge),
    "join": ("support.merge_ticket", _join),
    "link": ("support.merge_ticket", _link),
    "split": ("support.merge_ticket", _split),
    "add_participant": ("support.reply_ticket", _add_participant),
    "remove_participant": ("support.reply_ticket", _remove_participant),
    "revoke_link": ("support.reply_ticket", _revoke_link),
    "spam": ("support.change_ticket", _spam),
    "not_spam": ("support.change_ticket", _not_spam),
}
# Whose refusal leaves the reply box as it was filled in.
KEEPS_TEXT = {"reply", "draft", "use_template"}
