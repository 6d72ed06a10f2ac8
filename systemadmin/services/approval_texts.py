"""What the pages, answers and commands say about a request for a second person."""

from typing import Any

from django.utils.translation import gettext as _

from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.personal_data import masked_texts, sees_personal_data
from systemadmin.models import ApprovalRequest, User
from systemadmin.services.approval_arguments import decode_all
from systemadmin.services.approvers import eligible, obstacle, who_may
from systemadmin.services.second_person import act_named

State = ApprovalRequest.State


def waiting_text(row: ApprovalRequest) -> str:
    """Return a sentence for who asked: that it waits, and who may decide."""
    act = act_named(row.act)
    text = _("This is waiting for a second person: %(who)s. Request %(id)s.") % {
        "who": who_may(act, row.arguments)["text"],
        "id": row.pk,
    }
    if eligible(row.asked_by, act, decode_all(row.arguments)):
        return text
    hint = _(
        "Nobody here may decide it now. Where one person works alone, a superuser says so by the "
        "setting duties.single_person."
    )
    return f"{text} {hint}"


def facts(row: ApprovalRequest, *, viewer: User) -> list[tuple[Any, Any]]:
    """Return what is decided, as it is now, in pairs of label and value.

    Whoever may decide sees addresses as they are, because they decide about them; who else lacks
    `view_personal_data` sees them masked.
    """
    act = act_named(row.act)
    try:
        found = list(act.shown(**decode_all(row.arguments))) if act.shown else []
    except DomainError:
        return [(_("object"), _("It is gone."))]
    if sees_personal_data(viewer) or not obstacle(viewer, row, act):
        return found
    return [(label, masked_texts(str(value))) for label, value in found]


def caution_of(row: ApprovalRequest, *, viewer: User) -> str:
    """Return what whoever approves has to answer in words, or nothing."""
    act = act_named(row.act)
    if act.question_for_approver is None or row.standing != State.WAITING:
        return ""
    try:
        text = act.question_for_approver(**decode_all(row.arguments))
    except DomainError:
        return ""
    may_read = sees_personal_data(viewer) or not obstacle(viewer, row, act)
    return text if may_read else str(masked_texts(text))
