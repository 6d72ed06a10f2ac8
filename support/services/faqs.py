"""Questions and answers: changes to them, and votes of their readers."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F

from support import search
from support.models import Faq, FaqVote
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.models import User

FIELDS = ("question", "answer", "language", "category", "position", "is_published")


@transaction.atomic
def save_faq(
    *,
    actor: User | None,
    faq: Faq | None = None,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> Faq:
    """Create or change a question with its answer."""
    if faq is None:
        kept = Faq()
    else:
        kept = lock_row(Faq.objects.all(), expected_version=expected_version, pk=faq.pk)
        kept.bump()
    for name in FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    kept.words = search.document(kept.question, kept.answer)
    kept.full_clean()
    kept.save()
    audit.record("support.faq.saved", actor=actor, target=kept, after=dict(values))
    return kept


@transaction.atomic
def delete_faq(*, actor: User, faq: Faq) -> None:
    """Remove a question."""
    audit.record("support.faq.deleted", actor=actor, target=faq)
    faq.delete()


@transaction.atomic
def vote(*, user: User, faq: Faq, is_helpful: bool) -> Faq:
    """Note whether an answer helped; a second vote of the same account replaces the first."""
    locked = lock_row(Faq.objects.published(), pk=faq.pk)
    before = FaqVote.objects.filter(faq=locked, user=user).first()
    if before is not None and before.is_helpful == is_helpful:
        return locked
    FaqVote.objects.update_or_create(faq=locked, user=user, defaults={"is_helpful": is_helpful})
    change = {_column(is_helpful): F(_column(is_helpful)) + 1}
    if before is not None:
        change[_column(not is_helpful)] = F(_column(not is_helpful)) - 1
    Faq.objects.filter(pk=locked.pk).update(**change)
    locked.refresh_from_db()
    return locked


def _column(is_helpful: bool) -> str:
    return "helpful_count" if is_helpful else "unhelpful_count"
