"""Runs of the verification: asked for, by the clock, after a restore; with progress and result."""

import logging
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin import audit
from systemadmin.errors import AuditVerificationRunning
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.models import AuditSeal, AuditStatement, AuditVerification, User
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.audit_chain import chain_end, seal_audit_trail
from systemadmin.services.audit_heads import note_restore
from systemadmin.services.audit_statements import Kind, Statement, state
from systemadmin.services.audit_verification import (
    ChainReport,
    state_verified,
    verify_audit_trail,
)
from systemadmin.services.audit_walk import WalkState
from systemadmin.services.notifications import notify_superusers

logger = logging.getLogger("atalaya.audit")

RUN_TASK: Final = "systemadmin.tasks.run_audit_verification"
LOCK: Final = "systemadmin:audit-verification"
PROGRESS_SECONDS: Final = 2.0
LATE: Final = timedelta(hours=49)
SHOWN_FAULTS: Final = 100
Status = AuditVerification.Status


@transaction.atomic
def request_verification(*, actor: User | None) -> AuditVerification:
    """Queue a verification of the whole trail; raises `AuditVerificationRunning`."""
    run = _new_run(actor, Status.QUEUED)
    audit.record("systemadmin.audit.verification_requested", actor=actor)
    enqueue(RUN_TASK, run.pk, cluster=LONG_CLUSTER)
    return run


def run_verification(run_id: int) -> None:
    """Run a queued verification, or go on with one whose process died."""
    run = AuditVerification.objects.filter(pk=run_id, unfinished=True).first()
    if run is not None:
        _run(run)


def verify_now(
    *, actor: User | None = None, heads: Iterable[Statement] = (), resume: bool = True
) -> AuditVerification:
    """Verify in this process and return the finished run: an interrupted or queued one, or a new.

    Raises `AuditVerificationRunning` while another process is at it.
    """
    with named_lock(LOCK) as held:
        if not held:
            raise AuditVerificationRunning
        run = _unfinished() or _new_run(actor, Status.RUNNING)
        if not resume:
            run.resume = {}
        return _run(run, heads)


def verify_by_the_clock() -> None:
    """Once a night: go on with an interrupted run, else begin a new one."""
    try:
        verify_now()
    except AuditVerificationRunning:
        logger.info("audit verification waits: another one is running")


def explain_fault(*, actor: User | None, fault: str, position: int, reason: str) -> None:
    """State, signed, that a fault is known and why: verification goes on without it.

    For what cannot be undone, such as a clock that was set back. All superusers are notified.
    """
    with transaction.atomic():
        body = {"fault": fault, "reason": reason, "by": actor.get_username() if actor else ""}
        state(Kind.EXPLAINED, position, body)
        entry = audit.record(
            "systemadmin.audit.fault_explained",
            actor=actor,
            reason=reason,
            metadata={"fault": fault, "position": position},
        )
        notify_superusers(
            kind="audit.fault_explained",
            subject=gettext_lazy("A fault of the audit trail was explained"),
            body=gettext_lazy("%(fault)s at position %(position)d. Reason: %(reason)s"),
            values={"fault": fault, "position": position, "reason": reason},
            key=f"audit-explained-{entry.pk}",
        )


def note_restored_trail(backup: str) -> None:
    """After a restore: state what was lost, and queue a verification of the whole trail.

    The restore itself verified only what is newer than the last checkpoint. Nothing that goes
    wrong here undoes a restore.
    """
    try:
        note_restore(backup)
        request_verification(actor=None)
    except AuditVerificationRunning:
        logger.info("the audit trail is being verified already")
    except Exception:
        logger.exception("the restored audit trail could not be looked at")


def last_run() -> AuditVerification | None:
    """Return the newest finished run."""
    return AuditVerification.objects.filter(status=Status.DONE).order_by("-id").first()


def audit_state() -> dict[str, Any]:
    """Return the head, the last head published outside, and the runs, for pages and the API."""
    end = chain_end()
    told = AuditStatement.objects.filter(kind=Kind.HEAD).order_by("-id").first()
    return {
        "position": end.position,
        "chain": end.chain_hash,
        "told_position": told.position if told else None,
        "told_at": told.made_at if told else None,
        "last": last_run(),
        "running": AuditVerification.objects.filter(unfinished=True).first(),
    }


def is_late() -> bool:
    """Return True when the newest finished run is older than two nights."""
    last = last_run()
    if last is None or last.finished_at is None:
        first = AuditSeal.objects.order_by("position").first()
        return first is not None and first.sealed_at < timezone.now() - LATE
    return last.finished_at < timezone.now() - LATE


# -- one run ---------------------------------------------------------------------------


def _new_run(actor: User | None, status: str) -> AuditVerification:
    name = actor.get_username() if actor else ""
    run = AuditVerification(actor=actor, actor_name=name, status=status)
    try:
        with transaction.atomic():
            run.save()
    except IntegrityError as error:
        raise AuditVerificationRunning from error
    return run


def _unfinished() -> AuditVerification | None:
    """Return the run that nobody is working on; call it with the lock held.

    A queued one too: after a restore one waits for a worker that may not run yet.
    """
    return AuditVerification.objects.filter(unfinished=True).first()


def _run(run: AuditVerification, heads: Iterable[Statement] = ()) -> AuditVerification:
    with named_lock(LOCK) as held:
        if not held:
            raise AuditVerificationRunning
        run.refresh_from_db(fields=["unfinished"])
        if not run.unfinished:
            # Somebody finished the queued run by hand before its task came up.
            return run
        seal_audit_trail()
        run.status, run.started_at = Status.RUNNING, run.started_at or timezone.now()
        run.total = AuditSeal.objects.count()
        run.save()
        try:
            report = verify_audit_trail(
                begin=WalkState.read(run.resume),
                with_outside=True,
                heads=heads,
                progress=_Progress(run),
            )
        except Exception as error:
            _fail(run, error)
            raise
        _finish(run, report)
        seal_audit_trail(everything=True)
    return run


class _Progress:
    """Keep how far the walk is, about every two seconds."""

    def __init__(self, run: AuditVerification) -> None:
        self.run, self.kept_at = run, time.monotonic()

    def __call__(self, walked: WalkState) -> None:
        if time.monotonic() - self.kept_at < PROGRESS_SECONDS:
            return
        self.run.checked, self.run.resume = walked.checked, walked.signed()
        self.run.save(update_fields=["checked", "resume", "updated_at"])
        self.kept_at = time.monotonic()


def _fail(run: AuditVerification, error: Exception) -> None:
    logger.error("audit verification did not run to its end", exc_info=error)
    run.status, run.finished_at = Status.FAILED, timezone.now()
    run.error_code = run.error = type(error).__name__
    run.save()


def _finish(run: AuditVerification, report: ChainReport) -> None:
    first = report.first_fault
    run.status, run.finished_at, run.resume = Status.DONE, timezone.now(), {}
    run.checked, run.holds, run.fault_count = report.checked, report.holds, report.fault_count
    run.head = f"{report.position}:{report.head}"
    run.first_fault = asdict(first) if first else None
    run.faults = [asdict(fault) for fault in report.faults[:SHOWN_FAULTS]]
    run.notes, run.heads_compared = report.notes, report.heads_compared
    with transaction.atomic():
        run.save()
        state_verified(report)
        audit.record(
            "systemadmin.audit.verified",
            actor=run.actor,
            metadata={"holds": report.holds, "rows": report.checked, "head": run.head},
        )
        _alert(report)


def _alert(report: ChainReport) -> None:
    if report.holds:
        resolve_alert(rule="audit.verification_failed")
        return
    raise_alert(
        rule="audit.verification_failed",
        severity="critical",
        summary=gettext_noop(
            "The audit trail does not hold: rows were changed, removed or inserted."
        ),
        detail=f"{report.first_fault}; {report.fault_count}",
    )
