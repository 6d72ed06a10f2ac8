"""Hiding secrets in text and in structured values, for logs and for the audit trail."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

MASK = "***"

# One list for both spellings of a field: `api_key`, `apiKey`, `Api-Key`, `X-API-Key`.
_FIELDS = (
    r"pass(?:word|wd|phrase|code)\d*|pwd|secret(?:[_-]?key)?|client[_-]?secret"
    r"|(?:access|refresh|auth|bearer|bot|csrf|csrfmiddleware|id|reset|invite)?[_-]?token(?:[_-]?key)?"
    r"|authorization|proxy-authorization|otp(?:[_-]?(?:code|token|secret|key))?|totp[_-]?(?:key|secret)"
    r"|recovery[_-]?codes?|backup[_-]?codes?|api[_-]?key|private[_-]?key|signing[_-]?key"
    r"|set-cookie|cookies?|session(?:[_-]?(?:id|key))|csrftoken|credentials?|signature"
    r"|aws[_-]?secret[_-]?access[_-]?key"
)
# Something in front (`old_password`, `X-API-Key`, `HTTP_AUTHORIZATION`) makes it no less secret.
SECRET_FIELD = re.compile(rf"(?:.*[_.\-\s])?(?:{_FIELDS})", re.IGNORECASE)

# Names that look secret and are safe to show, for they say only that or when something is there.
_HARMLESS = frozenset({"token_type", "token_expiry"})

_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_ASSIGNMENT = re.compile(
    # At the start of a word, or of its next part: old_password, userPassword.
    rf"(?P<name>(?:(?<![A-Za-z0-9])|(?<=(?-i:[a-z]))(?=(?-i:[A-Z])))(?:{_FIELDS}))"
    # A backslash before the quotes: JSON inside JSON.
    r"(?P<sep>\\*[\"']?\s*(?:=>|[:=])\s*(?:\\+[\"'])?)"
    rf"(?P<value>{_QUOTED}|\[[^\]]{{0,2000}}\]|\([^)]{{0,2000}}\)|(?:(?:Bearer|Token|Basic|Digest)\s+)?[^\s,;&\"')\]}}]+)",
    re.IGNORECASE,
)
# A header's value runs to the end of its line: a cookie header holds several pairs.
_HEADER = re.compile(
    r"(?P<name>\b(?:set-cookie|cookie|authorization|proxy-authorization))(?P<sep>:\s*)[^\r\n\"']+",
    re.IGNORECASE,
)
_SCHEME_TOKEN = re.compile(r"\b(Bearer|Basic|Token)(\s+)[A-Za-z0-9._~+/=\-]{8,}", re.IGNORECASE)
_TELEGRAM_PATH = re.compile(r"/(file/)?bot\d+:[A-Za-z0-9_\-]+")
_TELEGRAM_TOKEN = re.compile(r"\b\d{6,12}:[A-Za-z0-9_\-]{30,}")
_URL = re.compile(r"\b(?P<scheme>[a-z][a-z0-9+.\-]{1,20})://(?P<rest>[^\s\"'<>]+)", re.IGNORECASE)
_WEBHOOK = re.compile(
    r"^(?P<host>hooks\.slack\.com/services/|(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/).+",
    re.IGNORECASE,
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}")
# A key whose end is missing was cut off: the rest of the text is the key. It also keeps the search
# linear, which looked for the end anew from each beginning.
_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)

# URLs of these schemes say where something is; in any other (tgram://, slack://, otpauth://, …)
# the address itself is the credential.
_LOCATION_SCHEMES = frozenset(
    {"http", "https", "ws", "wss", "ftp", "ftps", "sftp", "ssh", "git", "file", "unix", "s3"}
    | {"sqlite", "postgres", "postgresql", "psql", "pgsql", "mysql", "redis", "rediss", "amqp"}
    | {"smtp", "smtps", "smtp+tls", "smtp+ssl"}
)


def is_secret_field(name: object) -> bool:
    """Return whether a value under this name must never be shown."""
    return _is_secret_name(str(name))


@lru_cache(maxsize=2048)
def _is_secret_name(text: str) -> bool:
    return SECRET_FIELD.fullmatch(text) is not None and text.lower() not in _HARMLESS


def _mask_url(match: re.Match[str]) -> str:
    scheme, rest = match["scheme"], match["rest"]
    if scheme.lower() not in _LOCATION_SCHEMES:
        return f"{scheme}://{MASK}"
    webhook = _WEBHOOK.match(rest)
    if webhook:
        return f"{scheme}://{webhook['host']}{MASK}"
    authority, slash, path = rest.partition("/")
    user, colon, password = authority.partition(":")
    if colon and "@" in rest and not password.isdigit():
        # To the last "@": a password written without escaping may hold both "@" and "/".
        return f"{scheme}://{user}:{MASK}@{rest.rpartition('@')[2]}"
    return f"{scheme}://{authority}{slash}{path}"


def _mask_assignment(match: re.Match[str]) -> str:
    value = match["value"]
    if value in {"None", "null", "True", "False", "true", "false", "''", '""', "[]", "()"}:
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match['name']}{match['sep']}{quote}{MASK}{quote}"


_STEPS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_PEM, MASK),
    (_URL, _mask_url),
    (_TELEGRAM_PATH, rf"/\1bot{MASK}"),
    (_TELEGRAM_TOKEN, MASK),
    (_HEADER, rf"\g<name>\g<sep>{MASK}"),
    (_ASSIGNMENT, _mask_assignment),
    (_SCHEME_TOKEN, rf"\1\2{MASK}"),
    (_JWT, MASK),
)
# Whatever a step matches holds one of these; most of what is logged holds none, and looking for
# them costs a tenth of the steps.
_SIGN = re.compile(r"[:=]|bearer|basic|token|eyJ|-----BEGIN ", re.IGNORECASE)


def mask_text(text: str, literals: Iterable[str] = ()) -> str:
    """Return the text with every secret replaced; `literals` are values known to be secret."""
    if _SIGN.search(text):
        for pattern, replacement in _STEPS:
            text = pattern.sub(replacement, text)
    # Last: a password that is also a word of the URL around it must not hide that it is a URL.
    for literal in literals:
        if literal in text:
            text = text.replace(literal, MASK)
    return text


def _is_filled_secret(name: Any, value: Any) -> bool:
    """Return whether a field holds a secret; that one is set or not may be read."""
    return is_secret_field(name) and value not in (None, "", True, False)


def mask_value(value: Any, literals: Iterable[str] = (), *, depth: int = 8) -> Any:
    """Return a copy of a JSON-like value in which secrets, by field name or shape, are replaced."""
    if isinstance(value, str):
        return mask_text(value, literals)
    if depth <= 0:
        return mask_text(repr(value), literals)
    if isinstance(value, Mapping):
        return {
            key: MASK
            if _is_filled_secret(key, item)
            else mask_value(item, literals, depth=depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        items = [mask_value(item, literals, depth=depth - 1) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, bytes):
        return mask_text(value.decode("utf-8", "replace"), literals)
    return value


def literal_secrets(candidates: Iterable[object]) -> tuple[str, ...]:
    """Return those of some configured secrets that are long enough to find without false alarms."""
    found = {str(item) for item in candidates if item and len(str(item)) >= 8}
    found |= {unquote(item) for item in found}
    # The longest first, so that one that contains another is replaced whole.
    return tuple(sorted(found, key=len, reverse=True))
