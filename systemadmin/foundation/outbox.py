"""The outbox: what must reach the outside, written with its cause and sent until it arrives.

A row is written in the transaction of the event it reports, so neither exists without the other.
Sending claims the row first, by one conditional update: of any number of workers one gets it.
A claim is a lease; when the worker dies, the row is due again by itself. Delivery is therefore
at least once: only a crash between the receiver's answer and our note of it sends twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.masking import mask_text
from systemadmin.foundation.models import TimestampedModel
from systemadmin.foundation.queue import enqueue

logger = logging.getLogger("atalaya.outbox")

LONGEST_ERROR = 500
# How long a claim lasts. Every sender has a deadline below this (45 s or less), so a claim that
# ended is one of a dead worker, and its row goes out again within two minutes.
LEASE = timedelta(seconds=60)


class DeliveryFailed(Exception):
    """The receiver did not take it.

    `retry_after`: seconds, when the receiver said so. `is_permanent`: trying again cannot help.
    """

    def __init__(
        self, reason: str, *, retry_after: int | None = None, is_permanent: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.is_permanent = is_permanent


class OutboxStatus(models.TextChoices):
    """Where a row of an outbox stands; `skipped` was never meant to leave any more."""

    PENDING = "pending", _("Pending")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Given up")
    SKIPPED = "skipped", _("Skipped")


class OutboxModel(TimestampedModel):
    """One thing to send to one receiver."""

    Status = OutboxStatus

    status = models.CharField(
        _("status"), max_length=10, choices=OutboxStatus.choices, default=OutboxStatus.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # Also the end of a claim: whoever sends moves it ahead first.
    next_attempt_at = models.DateTimeField(
        _("next attempt at"), null=True, blank=True, default=timezone.now
    )
    last_error = models.TextField(_("last error"), blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        abstract = True


def doubling(first: int, most: int) -> Callable[[int], int]:
    """Return waits in seconds that double with each attempt: `first`, 2·`first`, … `most`."""
    return lambda attempts: min(most, first * 2 ** min(attempts - 1, 30))


# Every outbox of the loaded modules by the task that sends one of its rows.
OUTBOXES: dict[str, "Outbox"] = {}


@dataclass(frozen=True, slots=True)
class Outbox:
    """How the rows of one table are sent.

    `rows` gives those that may be sent, with what `send` needs joined; `send` raises
    `DeliveryFailed`. `wait` maps the attempts made to seconds. `on_given_up` is called with a row
    that will not be tried again.
    """

    task: str
    rows: Callable[[], QuerySet[Any]]
    send: Callable[[Any], None]
    wait: Callable[[int], float]
    most_attempts: int
    lease: timedelta
    on_given_up: Callable[[Any], None] | None = None

    def __post_init__(self) -> None:
        if self.task not in OUTBOXES:
            OUTBOXES[self.task] = self

    def post(self, row: OutboxModel) -> None:
        """Have the queue send a row that was just written, once the transaction commits."""
        enqueue(self.task, row.pk)

    def due(self, limit: int) -> list[int]:
        """Return keys of rows whose moment has come: retries, and what a dead worker left."""
        rows = self.rows().filter(status=OutboxStatus.PENDING, next_attempt_at__lte=timezone.now())
        return list(rows.order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:limit])

    def deliver_due(self, limit: int = 200) -> list[bool]:
        """Send what is due in this process; for each row tried, whether it went out.

        A row that raises keeps no other from going out.
        """
        return [self._deliver_safely(pk) for pk in self.due(limit)]

    def _deliver_safely(self, pk: int) -> bool:
        try:
            return self.deliver(pk)
        except Exception:
            # Not even its failure could be noted; the claim ends and it is tried again.
            logger.exception("a row of an outbox could not be handled", extra={"row": pk})
            return False

    def deliver(self, pk: int) -> bool:
        """Send one row if it is due and ours to take; whether it went out now."""
        row = self._claim(pk)
        if row is None:
            return False
        if row.attempts > self.most_attempts:
            # Only a worker that died while sending leaves such a row behind.
            self._give_up(row, row.last_error or "the worker ended while sending")
            return False
        try:
            self.send(row)
        except DeliveryFailed as failure:
            self._postpone(row, failure)
            return False
        except Exception as error:
            # A row that cannot even be composed is one that failed, like any other.
            logger.exception("a row of an outbox raised", extra={"row": pk, "task": self.task})
            self._postpone(row, DeliveryFailed(f"{type(error).__name__}: {error}"))
            return False
        self._note(row, status=OutboxStatus.SENT, sent_at=timezone.now(), last_error="")
        return True

    def _claim(self, pk: int) -> Any | None:
        now = timezone.now()
        if not self.rows().filter(pk=pk).exists():
            return None
        # On the row's own columns alone: through a join PostgreSQL would test the condition on
        # a copy of the row from before another worker's claim, and both would have it.
        table = self.rows().model._base_manager
        claimed = table.filter(
            Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now),
            pk=pk,
            status=OutboxStatus.PENDING,
        ).update(attempts=F("attempts") + 1, next_attempt_at=now + self.lease)
        return self.rows().filter(pk=pk).first() if claimed else None

    def _postpone(self, row: Any, failure: DeliveryFailed) -> None:
        if failure.is_permanent or row.attempts >= self.most_attempts:
            self._give_up(row, failure.reason)
            return
        seconds = failure.retry_after or self.wait(row.attempts)
        self._note(
            row,
            next_attempt_at=timezone.now() + timedelta(seconds=seconds),
            last_error=mask_text(failure.reason)[:LONGEST_ERROR],
        )

    def _give_up(self, row: Any, reason: str) -> None:
        self._note(
            row,
            status=OutboxStatus.FAILED,
            next_attempt_at=None,
            last_error=mask_text(reason)[:LONGEST_ERROR],
        )
        if self.on_given_up is not None:
            try:
                with transaction.atomic():
                    self.on_given_up(row)
            except Exception:
                logger.exception("giving up could not be reported", extra={"row": row.pk})

    def _note(self, row: Any, **fields: Any) -> None:
        # Only while the claim is ours: someone may have skipped the row, or a bounce overtaken us.
        claim = type(row)._base_manager.filter(
            pk=row.pk, status=OutboxStatus.PENDING, attempts=row.attempts
        )
        claim.update(updated_at=timezone.now(), **fields)
        for name, value in fields.items():
            setattr(row, name, value)

    def revive(self, pk: int, *, of: tuple[str, ...] = (OutboxStatus.FAILED,)) -> bool:
        """Give a row that was given up another round of attempts; False if it was not."""
        revived = (
            self.rows()
            .model._base_manager.filter(pk=pk, status__in=of)
            .update(
                status=OutboxStatus.PENDING,
                attempts=0,
                next_attempt_at=timezone.now(),
                updated_at=timezone.now(),
            )
        )
        if revived:
            enqueue(self.task, pk)
        return bool(revived)


def skip(rows: QuerySet[Any], reason: str) -> int:
    """Let none of these rows that still waits go out any more; returns how many that were."""
    return rows.filter(status=OutboxStatus.PENDING).update(
        status=OutboxStatus.SKIPPED, last_error=reason, updated_at=timezone.now()
    )


def skip_pending(reason: str) -> int:
    """Return the same for every outbox there is."""
    return sum(
        skip(model._base_manager.all(), reason)
        for model in apps.get_models()
        if issubclass(model, OutboxModel)
    )
