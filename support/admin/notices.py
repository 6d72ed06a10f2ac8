"""The page of an agent's notices and of how they want to receive them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from support.admin.people import agent_of
from support.models import AgentEvent
from support.services import agent_notices, agent_states
from support.services.agent_notices import WAYS
from systemadmin.foundation.errors import DomainError

SHOWN = 50


class ChoicesForm(forms.Form):
    """A box for each event and way, and the time zone of reports."""

    time_zone = forms.CharField(
        label=gettext_lazy("Time zone of reports"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("Such as Europe/Madrid; empty: the place's."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for event in AgentEvent.values:
            for way in WAYS:
                self.fields[f"{event}_{way}"] = forms.BooleanField(required=False)

    def rows(self) -> list[tuple[Any, list[Any]]]:
        """Return each event with its boxes."""
        return [(label, [self[f"{event}_{way}"] for way in WAYS])
                for event, label in AgentEvent.choices]  # fmt: skip

    def chosen(self) -> dict[str, dict[str, bool]]:
        """Return the ways of each event."""
        data = self.cleaned_data
        return {event: {way: data[f"{event}_{way}"] for way in WAYS} for event in AgentEvent.values}


def notices_page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Show the agent's notices, which are read then, and the choices."""
    if not request.user.has_perm("support.reply_ticket"):
        raise PermissionDenied
    agent = agent_of(request)
    present = agent_notices.choices_of(agent)
    initial: dict[str, Any] = {"time_zone": agent_states.time_zone_of(agent)}
    for event, ways in present.items():
        initial |= {f"{event}_{way}": is_on for way, is_on in zip(WAYS, ways, strict=True)}
    form = ChoicesForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            agent_notices.save_choices(actor=agent, values=form.chosen())
            agent_states.choose_time_zone(actor=agent, name=form.cleaned_data["time_zone"])
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            model_admin.message_user(request, _("Done."), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:support_ticket_notices"))
    rows = list(agent_notices.page_rows(agent)[:SHOWN])
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "media": model_admin.media,
        "title": _("What you were told"),
        "rows": rows,
        "form": form,
    }
    response = TemplateResponse(request, "admin/support/ticket/notices.html", context)
    response.render()
    agent_notices.mark_seen(user=agent, up_to=rows[0].pk if rows else 0)
    return response
