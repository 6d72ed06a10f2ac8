"""OpenAPI post-processing: headers of answers, tags, summaries and what lint rules ask for."""

from typing import Any, Final

from django.conf import settings

from systemadmin.foundation.api.schema_shape import METHODS

Schema = dict[str, Any]

_HEADERS: Final = {
    "X-Request-ID": (
        {"type": "string"},
        "The id of this request, yours if you sent one; quote it to us.",
        "4be0643f1d98573b97cdca98a65347dd",
    ),
    "RateLimit": (
        {"type": "string"},
        "What is left of the limit that this call counted against, and when it is afresh.",
        '"read";r=97;t=41',
    ),
    "Retry-After": ({"type": "integer"}, "Seconds to wait before you try again.", 30),
    "ETag": (
        {"type": "string"},
        "The version of the object; send it back as `If-Match`.",
        '"3"',
    ),
    "Idempotent-Replayed": (
        {"type": "string", "enum": ["true"]},
        "This is the first answer again: the `Idempotency-Key` was known.",
        "true",
    ),
    "WWW-Authenticate": ({"type": "string"}, "How to prove who you are.", "Bearer"),
    "Deprecation": (
        {"type": "string"},
        "Since when the call is deprecated (RFC 9745); not sent otherwise.",
        "@1893456000",
    ),
    "Sunset": (
        {"type": "string"},
        "When the call will be gone (RFC 8594); not sent otherwise.",
        "Tue, 01 Jan 2030 00:00:00 GMT",
    ),
}
_WAITS: Final = frozenset({"409", "429", "503"})
# By the app whose view answers; the name is the module of generated Python clients.
TAGS: Final = {
    "support": "Tickets, mail, articles and the desk's settings.",
    "marketplace": "Products, orders, disputes, commissions, payouts and the books.",
    "risk": "Account events, scores, related accounts, anomalies and decisions.",
    "messages": "Private messages between members.",
    "accounts": "Sign-in, members, service keys and rights.",
    "system": "Settings, health, backups, maintenance, webhooks and the audit trail.",
    "webhooks": "Messages that Atalaya sends.",
}
_OF_APPS: Final = {"riskops": "risk", "messaging": "messages"}
_ACCOUNTS: Final = frozenset({"auth", "me", "members", "member-tokens", "service-keys", "users"})


def tag_of(module: str, path: str) -> str:
    """Return the tag of an operation from the module of its view and its path."""
    app = module.partition(".")[0]
    if app in TAGS or app in _OF_APPS:
        return _OF_APPS.get(app, app)
    parts = path.removeprefix("/api/").removeprefix("admin/").split("/")
    return "accounts" if parts[0] in _ACCOUNTS or "sessions" in parts else "system"


def describe_headers(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Post-processing hook, the last one: headers, tags, summaries, where it is served."""
    result["servers"] = [{"url": settings.PUBLIC_URL.rstrip("/"), "description": "This one."}]
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    components = result["components"]
    components["headers"] = {
        name: {"description": text, "schema": schema, "example": example}
        for name, (schema, text, example) in _HEADERS.items()
    }
    # Its place has been taken by the one that every operation names.
    components["schemas"].pop("ProblemField", None)
    for item in (*result["paths"].values(), *result["webhooks"].values()):
        for method in METHODS:
            if method in item:
                # What is public says so: nobody signs in to health; webhooks are signed by us.
                item[method].setdefault("security", [])
    for item in result["paths"].values():
        for method in METHODS:
            if method in item:
                _describe(item[method])
    return result


def _describe(operation: Schema) -> None:
    if not operation.get("summary"):
        operation["summary"] = summary_of(operation)
    sent = {one["name"] for one in operation.get("parameters", []) if one["in"] == "header"}
    for status, response in operation["responses"].items():
        names = ["X-Request-ID", "RateLimit"]
        if status in _WAITS:
            names.append("Retry-After")
        if status == "401":
            names.append("WWW-Authenticate")
        if status.startswith("2") and "Idempotency-Key" in sent:
            names.append("Idempotent-Replayed")
        if status.startswith("2"):
            names += ["Deprecation", "Sunset"]
        headers = response.setdefault("headers", {})
        for name in names:
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def summary_of(operation: Schema) -> str:
    """Return the first sentence of the description, or the operation's name as words."""
    text = operation.get("description", "").strip().split("\n\n")[0].replace("\n", " ")
    first = text.split(". ")[0].split("; ")[0].rstrip(".:")
    if first and len(first) <= 120:
        return first
    name = operation["operationId"]
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name)
    return words[:1].upper() + words[1:]
