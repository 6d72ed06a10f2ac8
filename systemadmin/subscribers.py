"""What this app does on signals from below: sign-ins through Django leave our traces."""

from typing import Any

from django.contrib.auth import signals
from django.dispatch import receiver
from django.http import HttpRequest

from systemadmin import audit
from systemadmin.foundation.maintenance import write_bypassed
from systemadmin.models import User
from systemadmin.services import authentication, sessions


@receiver(signals.user_logged_in, dispatch_uid="systemadmin.web_sign_in")
def on_web_sign_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """A browser signed in (the API's own sign-in does not send this signal)."""
    sessions.note_web_session(http=request, user=user)
    authentication.note_signed_in(user, factor=getattr(user, "otp_device", None))


@receiver(signals.user_login_failed, dispatch_uid="systemadmin.failed_sign_in")
def on_failed_sign_in(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """A password or code was wrong, in the browser or in the API."""
    authentication.note_failed(username=credentials.get("username") or "", http=request)


@receiver(signals.user_logged_out, dispatch_uid="systemadmin.web_sign_out")
def on_web_sign_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """A browser signed out; sent before the session is flushed."""
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
