"""Security headers that Django does not send, and the content security policy."""

from collections.abc import Callable
from typing import Any

from csp.constants import HEADER, NONE, SELF
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# One dictionary: django-csp 4 ignores the old CSP_* settings without a word.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
    }
}

# For the page of the API docs alone (`csp_update`): Swagger UI writes one known inline style and
# draws its icons from data: URLs.
API_DOCS_CSP: dict[str, list[str]] = {
    "style-src": ["'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"],
    "img-src": ["data:"],
}

# Nothing here wants a device, a sensor or a payment sheet.
_REFUSED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in _REFUSED_FEATURES)

HEADERS = {
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
}


class SecurityHeadersMiddleware:
    """Adds the headers to every answer that has not set its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path_info.startswith("/api/"):
            # What an app may see today it may not see tomorrow: no copy stays in a browser.
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class PolicyMiddleware(CSPMiddleware):
    """django-csp's middleware, with the policy of ordinary answers written out only once.

    A view that changes the policy for itself, a nonce, an error page of DEBUG and a policy that
    only reports go the library's own way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        policy = settings.CONTENT_SECURITY_POLICY
        is_simple = set(policy) == {"DIRECTIVES"} and not settings.DEBUG
        reports = getattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY", None)
        self.written = build_policy() if is_simple and not reports else ""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Set the header unless the answer brought its own."""
        has_own = any(name.startswith("_csp") for name in vars(response))
        if not self.written or has_own or getattr(request, "_csp_nonce", None) is not None:
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.written)
        # As the library does: a nonce made now would be in no header.
        request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)
        return response
