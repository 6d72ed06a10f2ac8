"""The OpenAPI schema as served: made once per process and language, then compared by ETag."""

import hashlib
import threading
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import gettext as _
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request

from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.ratelimit import ClassThrottle, ratelimit_headers

# Making the document takes seconds of processor time. Callers that come together wait for one
# of them; the routes and texts of a process never change, so nothing makes it stale.
_making = threading.Lock()
_documents: dict[str, tuple[bytes, str]] = {}


def schema_document(language: str) -> tuple[bytes, str]:
    """Return the document in a language and its strong ETag."""
    with _making:
        if language not in _documents:
            body = _make(language)
            _documents[language] = body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return _documents[language]


def _make(language: str) -> bytes:
    with translation.override(language):
        schema = SpectacularJSONAPIView.generator_class().get_schema(public=True)
        return OpenApiJsonRenderer().render(schema, renderer_context={})


class SchemaView(SpectacularJSONAPIView):
    """`GET /api/schema`, for those whom `SERVE_PERMISSIONS` admits."""

    throttle_classes = [ClassThrottle]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the stored document, or 304 where the caller has it already."""
        body, etag = schema_document(_language(request))
        response = HttpResponse(body, content_type=request.accepted_media_type)
        response["Content-Disposition"] = 'inline; filename="atalaya-openapi.json"'
        # Kept by the caller alone, and asked about each time: who may see it can change.
        response["Cache-Control"] = "private, no-cache"
        response["ETag"] = etag
        patch_vary_headers(response, ["Authorization", "Cookie", "Accept", "Accept-Language"])
        for name, value in ratelimit_headers(request).items():
            response[name] = value
        plain: HttpRequest = request._request
        return get_conditional_response(plain, etag=etag, response=response) or response


def _language(request: Request) -> str:
    """Return the language asked for by `?lang=`, else that of the request; one of those we have."""
    known = dict(settings.LANGUAGES)
    asked = request.query_params.get("lang")
    if asked is None:
        current = translation.get_language() or settings.LANGUAGE_CODE
        return current if current in known else settings.LANGUAGE_CODE
    if asked not in known:
        raise InvalidInput("lang", _("One of: %(known)s.") % {"known": ", ".join(known)})
    return asked
