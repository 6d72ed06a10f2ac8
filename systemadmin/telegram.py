"""A small client for Telegram's Bot API: obeys `retry_after`, never leaks the token."""

import http.client
import json
import urllib.error
import urllib.request

from django.conf import settings

from systemadmin.foundation.deadlines import Budget
from systemadmin.foundation.outbox import DeliveryFailed

# Seconds for one call as a whole.
TIMEOUT = 10
READ_LIMIT = 256 * 1024
LONGEST_TEXT = 4096


class TelegramError(DeliveryFailed):
    """The message was not taken (wrong token, unknown chat, too many, not reachable).

    The text never holds the address that was called, for the token is part of it.
    """


def is_configured() -> bool:
    """Return True when a bot token is set."""
    return bool(settings.TELEGRAM_BOT_TOKEN)


def send_message(chat_id: str, text: str) -> int:
    """Send one message and return its id; raises `TelegramError`."""
    answer = _call("sendMessage", {"chat_id": chat_id, "text": text[:LONGEST_TEXT]})
    return int(answer.get("result", {}).get("message_id", 0))


def check() -> str:
    """Return the bot's name; raises `TelegramError` when the API cannot be reached."""
    return str(_call("getMe", {}).get("result", {}).get("username", ""))


def _call(method: str, body: dict[str, str]) -> dict:
    base = settings.TELEGRAM_API_URL.rstrip("/")
    request = urllib.request.Request(  # noqa: S310 - the scheme is the operator's setting
        f"{base}/bot{settings.TELEGRAM_BOT_TOKEN}/{method}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with Budget(TIMEOUT, READ_LIMIT).opener().open(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        failure = _failure(error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        failure = TelegramError(type(error).__name__)
    # Raised outside of the handler, or the chained exception would carry the address.
    raise failure


def _failure(error: urllib.error.HTTPError) -> TelegramError:
    try:
        answer = json.load(error)
    except (OSError, ValueError, http.client.HTTPException):
        answer = {}
    wait = answer.get("parameters", {}).get("retry_after") if isinstance(answer, dict) else None
    reason = f"HTTP {error.code}: {str(answer.get('description', ''))[:200]}"
    return TelegramError(
        reason,
        retry_after=int(wait) if wait else None,
        is_permanent=error.code in (400, 401, 403, 404),
    )
