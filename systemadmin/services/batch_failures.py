"""The list of rows that batches could not handle: noted, tried again, given up, retried by hand."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.foundation.batches import MOST_HELD, State
from systemadmin.foundation.masking import mask_text
from systemadmin.foundation.outbox import LONGEST_ERROR
from systemadmin.models import BatchFailure, User
from systemadmin.services.alerts import raise_alert, resolve_alert

RULE = "batch.given_up"
# Tries before a row is given up; the waits between them double: 1, 2, 4, 8 minutes.
MOST_ATTEMPTS = 5
FIRST_WAIT = timedelta(minutes=1)
KEEP_WAITING = timedelta(days=7)
KEEP_GIVEN_UP = timedelta(days=90)


def known(batch: str) -> dict[str, State]:
    """Return the keys that failed, each with its state."""
    rows = BatchFailure.objects.filter(batch=batch).order_by("-id")
    now = timezone.now()
    return {
        key: _state(given_up_at, next_attempt_at, now)
        for key, given_up_at, next_attempt_at in rows.values_list(
            "key", "given_up_at", "next_attempt_at"
        )[: 2 * MOST_HELD]
    }


def _state(given_up_at: datetime | None, next_at: datetime | None, now: datetime) -> State:
    if given_up_at is not None:
        return State.GIVEN_UP
    return State.WAITING if next_at is not None and next_at > now else State.DUE


@transaction.atomic
def failed(batch: str, key: str, error: BaseException) -> None:
    """Note one more failure of a row; after `MOST_ATTEMPTS` it is given up and an alert raised."""
    now = timezone.now()
    text = mask_text(f"{type(error).__name__}: {error}")[:LONGEST_ERROR].replace("\x00", "")
    failure, _created = BatchFailure.objects.get_or_create(
        batch=batch, key=key[:200], defaults={"first_failed_at": now, "last_failed_at": now}
    )
    BatchFailure.objects.filter(pk=failure.pk).update(
        attempts=F("attempts") + 1, error=text, last_failed_at=now
    )
    failure.refresh_from_db()
    if failure.attempts < MOST_ATTEMPTS:
        wait = FIRST_WAIT * 2 ** (failure.attempts - 1)
        BatchFailure.objects.filter(pk=failure.pk).update(next_attempt_at=now + wait)
        return
    BatchFailure.objects.filter(pk=failure.pk).update(given_up_at=now, next_attempt_at=None)
    raise_alert(
        rule=RULE,
        key=batch,
        severity="warning",
        summary=gettext_noop("Rows of %(batch)s could not be handled."),
        facts={"batch": batch},
        detail=f"{key}: {text}",
    )


def succeeded(batch: str, key: str) -> None:
    """Forget the failures of a row that went through."""
    BatchFailure.objects.filter(batch=batch, key=key[:200]).delete()
    _resolve_if_none_is_left(batch)


@transaction.atomic
def retry_batch_failure(*, actor: User | None, failure: BatchFailure) -> BatchFailure:
    """Give a row another round of tries, beginning with the next run of its batch."""
    before = {"attempts": failure.attempts, "given_up_at": failure.given_up_at}
    failure.attempts, failure.given_up_at = 0, None
    failure.next_attempt_at = timezone.now()
    failure.save(update_fields=["attempts", "given_up_at", "next_attempt_at"])
    audit.record("systemadmin.batch_failure.retried", actor=actor, target=failure, before=before)
    _resolve_if_none_is_left(failure.batch)
    return failure


def counts() -> dict[str, int]:
    """Return how many rows wait for another try, and how many were given up."""
    total = BatchFailure.objects.count()
    given_up = BatchFailure.objects.filter(given_up_at__isnull=False).count()
    return {"waiting": total - given_up, "given_up": given_up}


def _resolve_if_none_is_left(batch: str) -> None:
    if not BatchFailure.objects.filter(batch=batch, given_up_at__isnull=False).exists():
        resolve_alert(rule=RULE, key=batch)
