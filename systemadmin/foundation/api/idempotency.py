"""`Idempotency-Key`: the same request sent twice has one effect and one answer.

The claim is a row written in the same transaction as the effect, so neither can exist
without the other, wherever the process dies. Semantics follow
draft-ietf-httpapi-idempotency-key-header: same key and body replay the first answer,
another body is 422, still in flight is 409. Refusals are not stored: a corrected
request may reuse its key.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from systemadmin.foundation.errors import InvalidInput, RuleViolation, Unprocessable
from systemadmin.foundation.locks import named_lock

KEEP = timedelta(hours=24)
KEPT_HEADERS = ("ETag", "Location")


class KeyReused(Unprocessable):
    """The key was used before with another request."""

    code = "idempotency_key_reused"
    default_detail = _("This Idempotency-Key was already used for a different request.")


class KeyInFlight(RuleViolation):
    """The first request with this key has not finished."""

    code = "idempotency_key_in_flight"
    default_detail = _("A request with this Idempotency-Key is still being processed.")


def key_of(request: Request) -> str | None:
    """Return the request's key, or None; raises `InvalidInput` for a malformed one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    key = key.strip().strip('"')
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InvalidInput("Idempotency-Key", _("1 to 255 printable ASCII characters."))
    return key


def fingerprint(request: Request) -> str:
    """Return a digest of method, path, query and body, equal for equal requests."""
    digest = hashlib.sha256()
    digest.update(f"{request.method} {request.get_full_path()}\n".encode())
    data = request.data
    plain = dict(data.lists()) if hasattr(data, "lists") else data
    if isinstance(plain, dict):
        files = dict(request.FILES.lists()) if request.FILES else {}
        plain = {k: v for k, v in plain.items() if k not in files}
        for name in sorted(files):
            for upload in files[name]:
                _update_with_file(digest, name, upload)
    digest.update(json.dumps(plain, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _update_with_file(digest: Any, name: str, upload: UploadedFile) -> None:
    digest.update(f"{name}:{upload.name}:{upload.size}\n".encode())
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)


def run_once(request: Request, key: str, call: Callable[[], Response]) -> Response:
    """Run `call` under the key, or give its first answer again."""
    user_id, asked = request.user.pk, fingerprint(request)
    lock = hashlib.sha256(f"{user_id}:{key}".encode()).hexdigest()[:32]
    # PostgreSQL: as a lock of the transaction it needs no connection of its own. SQLite: taken
    # before the transaction, or a rival would wait for the writer instead of getting its answer.
    outer = transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
    with outer, named_lock(f"idempotency:{lock}") as held:
        if not held:
            raise KeyInFlight(headers={"Retry-After": "1"})
        with transaction.atomic():
            return _claim_and_run(user_id, key, asked, request, call)


def _claim_and_run(
    user_id: Any, key: str, asked: str, request: Request, call: Callable[[], Response]
) -> Response:
    model = apps.get_model(settings.IDEMPOTENCY_MODEL)
    model.objects.filter(user_id=user_id, key=key, created_at__lt=timezone.now() - KEEP).delete()
    first = model.objects.filter(user_id=user_id, key=key).first()
    if first is not None:
        if first.fingerprint != asked:
            raise KeyReused
        headers = {**first.headers, "Idempotent-Replayed": "true"}
        return Response(json.loads(first.body), status=first.status, headers=headers)
    # The claim comes before the effect: the unique key refuses a rival even where the
    # lock above could not be shared.
    claim = model.objects.create(
        user_id=user_id,
        key=key,
        method=request.method,
        path=request.path[:300],
        fingerprint=asked,
        status=0,
        body="null",
        headers={},
    )
    response = call()
    if response.status_code >= 400:
        transaction.set_rollback(True)
        return response
    claim.status = response.status_code
    claim.body = _render(response)
    claim.headers = {n: response[n] for n in KEPT_HEADERS if response.has_header(n)}
    claim.save(update_fields=["status", "body", "headers"])
    return response


def _render(response: Response) -> str:
    return json.dumps(response.data, cls=JSONEncoder)
