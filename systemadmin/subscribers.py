"""What this app does on signals from below: sign-ins through Django leave our traces."""

import logging
import sys
from typing import Any

from django.contrib.auth import signals
from django.core.signals import got_request_exception
from django.db import DatabaseError, transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.backends import PROVIDER_BACKEND
from systemadmin.events import acted_alone, database_restored
from systemadmin.foundation.context import current
from systemadmin.foundation.maintenance import write_bypassed
from systemadmin.foundation.ratelimit import flooded
from systemadmin.models import User
from systemadmin.services import authentication, event_log, raise_alert, sessions
from systemadmin.services.alerts import ACTED_ALONE_RULE
from systemadmin.services.blocked_networks import block_flood
from systemadmin.services.second_person import title_of

logger = logging.getLogger("atalaya.errors")


@receiver(got_request_exception, dispatch_uid="systemadmin.unhandled_error")
def on_unhandled_error(sender: Any, **kwargs: Any) -> None:
    """Alert staff at once that a request failed in a way nobody foresaw.

    Only the kind of error, the path and the request id are told; the text of an
    exception may hold anything.
    """
    kind = getattr(sys.exc_info()[0], "__name__", "Error")
    call = current()
    try:
        with transaction.atomic():
            raise_alert(
                rule="error.unhandled",
                key=f"{kind} {call.path}"[:200],
                severity="warning",
                summary=gettext_noop("Unhandled %(kind)s at %(path)s"),
                detail=gettext_noop("request %(request)s"),
                facts={"kind": kind, "path": call.path[:200], "request": call.request_id},
            )
    except DatabaseError:
        logger.exception("the alert for an unhandled error could not be raised")


@receiver(signals.user_logged_in, dispatch_uid="systemadmin.web_sign_in")
def on_web_sign_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Record that a browser signed in (the API's own sign-in does not send this signal)."""
    sessions.note_web_session(http=request, user=user)
    authentication.note_signed_in(
        user,
        factor=getattr(user, "otp_device", None),
        is_by_provider=getattr(user, "backend", "") == PROVIDER_BACKEND,
    )


@receiver(signals.user_login_failed, dispatch_uid="systemadmin.failed_sign_in")
def on_failed_sign_in(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Record that a password or code was wrong, in the browser or in the API."""
    authentication.note_failed(username=credentials.get("username") or "", http=request)


@receiver(signals.user_logged_out, dispatch_uid="systemadmin.web_sign_out")
def on_web_sign_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Record that a browser signed out; sent before the session is flushed."""
    if user is not None:
        authentication.note_signed_out(user=user, session_key=request.session.session_key)


@receiver(write_bypassed, dispatch_uid="systemadmin.write_bypassed")
def on_write_bypassed(sender: Any, user_id: int, method: str, path: str, **kwargs: Any) -> None:
    """Staff wrote while the place was closed to others."""
    audit.record(
        "systemadmin.maintenance.bypassed",
        actor=User.objects.get(pk=user_id),
        metadata={"method": method, "path": path},
    )


@receiver(flooded, dispatch_uid="systemadmin.flooded")
def on_flooded(sender: Any, ip: str, count: int, **kwargs: Any) -> None:
    """Report an address that sends far more than any client does."""
    block_flood(ip, count)


@receiver(acted_alone, dispatch_uid="systemadmin.acted_alone")
def on_acted_alone(sender: Any, act: str, actor_name: str, **kwargs: Any) -> None:
    """One person did alone what needs a second person elsewhere."""
    raise_alert(
        rule=ACTED_ALONE_RULE,
        key=act,
        severity="warning",
        summary=gettext_noop("Done by one person alone: %(act_text)s"),
        facts={"act_text": title_of(act)},
        detail=actor_name,
    )


@receiver(database_restored, dispatch_uid="systemadmin.events_restored")
def on_database_restored(sender: Any, **kwargs: Any) -> None:
    """Continue the log of a restored copy beyond the numbers that its readers have seen."""
    event_log.step_over_restored()
