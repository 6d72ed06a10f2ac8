"""Reads of the audit trail."""

from django.db.models import Q, QuerySet

from systemadmin.models.audit import AuditEntry


def entries() -> QuerySet[AuditEntry]:
    """Return all rows, newest first."""
    return AuditEntry.objects.order_by("-id")


def about(*, target_type: str, target_id: str) -> QuerySet[AuditEntry]:
    """Return what happened to one object."""
    return entries().filter(target_type=target_type, target_id=target_id)


def matching(text: str) -> QuerySet[AuditEntry]:
    """Return rows whose action, actor, object or address begins with `text`."""
    return entries().filter(
        Q(action__istartswith=text)
        | Q(actor_name__istartswith=text)
        | Q(target_name__istartswith=text)
        | Q(request_id=text)
    )
