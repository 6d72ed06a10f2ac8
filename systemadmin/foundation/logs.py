"""Logging: one JSON line an event, with the request it belongs to and without any secret in it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from systemadmin.foundation.context import current
from systemadmin.foundation.masking import is_secret_field, literal_secrets, mask_text, mask_value

MASK = "***"
ROTATE_AT_BYTES = 20 * 1024 * 1024
ROTATED_FILES = 10

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_LINE_FIELDS = ("request_id", "user", "path", "status", "duration_ms")
_SECRET_SETTINGS = ("SECRET_KEY", "BACKUP_PASSPHRASE", "TELEGRAM_BOT_TOKEN", "EMAIL_HOST_PASSWORD")


class ContextFilter(logging.Filter):
    """Adds the id, user and path of the request, task or command that is being served."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = current()
        for name, value in (
            ("request_id", context.request_id),
            ("user", context.user_id),
            ("path", context.path),
        ):
            if getattr(record, name, None) is None:
                setattr(record, name, value or None)
        return True


class SecretsFilter(logging.Filter):
    """Masks secrets in the message, its arguments, the extra fields and the traceback."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._literals: tuple[str, ...] | None = None

    @property
    def literals(self) -> tuple[str, ...]:
        # Read late: logging is configured while the settings are still being built.
        if self._literals is None:
            if not settings.configured:
                return ()
            databases = getattr(settings, "DATABASES", {}).values()
            self._literals = literal_secrets(
                [
                    *(getattr(settings, name, "") for name in _SECRET_SETTINGS),
                    # "postgres:postgres" of a laptop is no secret, and a word of many lines.
                    *(d.get("PASSWORD") for d in databases if d.get("PASSWORD") != d.get("USER")),
                ]
            )
        return self._literals

    def filter(self, record: logging.LogRecord) -> bool:
        # The record is shared by all handlers: once is enough.
        if not getattr(record, "_is_masked", False):
            self._mask(record)
            record._is_masked = True
        return True

    def _mask(self, record: logging.LogRecord) -> None:
        literals = self.literals
        if record.args:
            record.args = self._mask_args(record.args)
        record.msg = mask_text(_message(record), literals)
        record.args = None
        self._mask_extra(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            # Formatters prefer exc_info and would render the unmasked text anew.
            record.exc_text = mask_text(record.exc_text, literals)
            record.exc_info = None
        if record.stack_info:
            record.stack_info = mask_text(record.stack_info, literals)

    def _mask_extra(self, record: logging.LogRecord) -> None:
        """Mask what the caller gave as `extra`: attributes that no plain record has."""
        for name, value in list(vars(record).items()):
            if name not in _STANDARD and not name.startswith("_"):
                secret = is_secret_field(name) and value not in (None, "")
                setattr(record, name, MASK if secret else mask_value(value, self.literals))

    def _mask_args(self, args: Any) -> Any:
        if isinstance(args, Mapping):
            # `"%(password)s" % {...}` names its secret by the key.
            return mask_value(args, self.literals)
        return tuple(mask_value(item, self.literals) for item in args)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A wrong format string must cost the arguments, never the line or the request.
        return f"{record.msg} (arguments do not fit)"


class JsonLines(JsonFormatter):
    """One JSON object a line, the same first fields always there and in the same order."""

    def __init__(self) -> None:
        super().__init__(
            reserved_attrs=[*RESERVED_ATTRS, "request", "server_time"],
            json_ensure_ascii=False,
            json_default=str,
        )

    def format(self, record: logging.LogRecord) -> str:
        """Render once for all handlers: console and file get the same line."""
        line: str | None = getattr(record, "_json_line", None)
        if line is None:
            line = super().format(record)
            record._json_line = line
        return line

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        log_data["time"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = record.getMessage()
        for name in _LINE_FIELDS:
            log_data[name] = getattr(record, name, None)
        log_data["status"] = getattr(record, "status", None) or getattr(record, "status_code", None)
        super().add_fields(log_data, record, message_dict)
        log_data.pop("status_code", None)


def logging_config(
    *, log_dir: str | Path | None, debug: bool, level: str = "INFO"
) -> dict[str, Any]:
    """Return the `LOGGING` setting: console always, and rotated files when a directory is given."""
    filters = ["context", "secrets"]
    handlers: dict[str, dict[str, Any]] = {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "readable" if debug else "json",
            "filters": filters,
        }
    }
    if log_dir:
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        handlers["file"] = _rotated(Path(log_dir) / "atalaya.log", filters)
        handlers["errors"] = _rotated(Path(log_dir) / "errors.log", filters) | {"level": "ERROR"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "context": {"()": "systemadmin.foundation.logs.ContextFilter"},
            "secrets": {"()": "systemadmin.foundation.logs.SecretsFilter"},
        },
        "formatters": {
            "json": {"()": "systemadmin.foundation.logs.JsonLines"},
            "readable": {
                "format": "{asctime} {levelname:<7} {name}: {message} [{request_id}]",
                "style": "{",
                "datefmt": "%H:%M:%S",
            },
        },
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": level},
        "loggers": {
            # Django's own handlers would print the same line twice, and unmasked.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # A line for each process and task: useful in a file, noise on a laptop's console.
            "django-q": {"level": "WARNING" if debug else level},
            "atalaya.queue": {"level": "WARNING" if debug else level},
            # It logs every query with its parameters at DEBUG.
            "django.db.backends": {"level": "INFO"},
            # These write credentials of their channels to the debug log.
            "apprise": {"level": "WARNING"},
            "botocore": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
        },
    }


def _rotated(path: Path, filters: list[str]) -> dict[str, Any]:
    # By size and under a lock between processes: rotation by time loses lines of all but one.
    return {
        "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
        "filename": str(path),
        "maxBytes": ROTATE_AT_BYTES,
        "backupCount": ROTATED_FILES,
        "encoding": "utf-8",
        "formatter": "json",
        "filters": filters,
    }
