"""Uploads and downloads of private files: checked by their bytes, never shown in our origin."""

import re
import unicodedata
from collections.abc import Callable, Collection
from typing import IO, Any, Final

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.http import FileResponse
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, TooLarge

_HEAD_BYTES: Final = 64
_MAX_NAME: Final = 120

# What each type may be called; the first is what a wrongly named file gets.
EXTENSIONS: Final[dict[str, tuple[str, ...]]] = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "application/zip": (".zip", ".docx", ".xlsx", ".pptx", ".odt", ".ods"),
    "application/gzip": (".gz",),
    "video/mp4": (".mp4", ".m4v", ".mov"),
    "text/csv": (".csv",),
    "text/plain": (".txt", ".log", ".md"),
}

_SIGNATURES: Final[list[tuple[str, Callable[[bytes], bool]]]] = [
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("image/gif", lambda head: head[:6] in (b"GIF87a", b"GIF89a")),
    ("image/webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("application/pdf", lambda head: head.startswith(b"%PDF-")),
    ("application/zip", lambda head: head[:4] in (b"PK\x03\x04", b"PK\x05\x06")),
    ("application/gzip", lambda head: head.startswith(b"\x1f\x8b\x08")),
    ("video/mp4", lambda head: head[4:8] == b"ftyp"),
]

_CONTROL_BYTES: Final = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"
_RESERVED: Final = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)$")


class PrivateFileSystemStorage(FileSystemStorage):
    """Files on this machine that no web server serves: they leave through private_response."""

    def url(self, name: str | None) -> str:
        raise ValueError("a private file has no address; use private_response")


def PrivateStorage() -> Storage:
    """The storage outside every public folder; give it to FileField(storage=…) uncalled."""
    return storages["private"]


def validate_upload(
    upload: File, *, max_bytes: int, allowed: Collection[str], field: str = "file"
) -> str:
    """The content type by the file's own bytes; refuses what is too large, empty or not allowed."""
    size = upload.size or 0
    if size > max_bytes:
        raise TooLarge(
            _("The file has %(size)d bytes; at most %(max)d are accepted.")
            % {"size": size, "max": max_bytes}
        )
    if size == 0:
        raise InvalidInput(field, _("The file is empty."), code="empty_file")
    content_type = sniff(upload)
    if content_type is None or content_type not in allowed:
        raise InvalidInput(
            field,
            _("Files of this type are not accepted. Accepted: %(types)s.")
            % {"types": ", ".join(sorted(allowed))},
            code="file_type_not_allowed",
        )
    return content_type


def sniff(upload: IO[Any] | File) -> str | None:
    """The type the bytes speak of, or None; the name counts only to tell CSV from plain text."""
    upload.seek(0)
    head = upload.read(_HEAD_BYTES)
    found = next((kind for kind, matches in _SIGNATURES if matches(head)), None)
    if found is None and _is_text(upload):
        is_csv = (getattr(upload, "name", "") or "").lower().endswith(".csv")
        found = "text/csv" if is_csv else "text/plain"
    upload.seek(0)
    return found


def _is_text(upload: IO[Any] | File) -> bool:
    upload.seek(0)
    content = upload.read()
    if content.translate(None, delete=_CONTROL_BYTES) != content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def safe_name(name: str, *, content_type: str | None = None) -> str:
    """A file name no system can be tricked by: no path, no control or direction characters.

    With a content type the extension tells the truth: "invoice.pdf.exe" that is a PNG becomes
    "invoice_pdf.png", so that a double click cannot run it.
    """
    text = unicodedata.normalize("NFKC", name).replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(
        char for char in text if unicodedata.category(char)[0] not in "CZ" or char == " "
    )
    text = re.sub(r'[<>:"|?*\'`$;&%]+', "_", text).strip(" .")
    stem, dot, extension = text.rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]{1,8}", extension):
        stem, extension = text, ""
    suffix = "." + extension.lower() if extension else ""
    if content_type is not None:
        known = EXTENSIONS.get(content_type, (".bin",))
        suffix = suffix if suffix in known else known[0]
    stem = re.sub(r"[._\s]+", "_", stem).strip("_- ")[: _MAX_NAME - len(suffix)]
    if not stem or _RESERVED.match(stem):
        stem = f"file_{stem}".rstrip("_")
    return stem + suffix


def inline_image_response(file: IO[bytes] | File, *, content_type: str) -> FileResponse:
    """A checked picture that a page may show; whatever else its bytes hold cannot run."""
    response = FileResponse(file, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    # Whether it may be seen can change any moment: a moderator may take the product down.
    response["Cache-Control"] = "private, no-cache"
    return response


def private_response(
    file: IO[bytes] | File, *, name: str, content_type: str | None = None
) -> FileResponse:
    """The file as a download that no browser renders, sniffs, caches or runs in our origin."""
    response = FileResponse(
        file,
        as_attachment=True,
        filename=safe_name(name, content_type=content_type),
        content_type=content_type or "application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-store"
    return response
