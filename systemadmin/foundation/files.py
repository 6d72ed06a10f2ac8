"""Uploads and downloads of private files: checked by their bytes, never shown in our origin."""

import re
import unicodedata
import zipfile
from collections.abc import Callable, Collection
from typing import IO, Any, Final

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.http import FileResponse
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, TooLarge
from systemadmin.foundation.pictures import without_metadata

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
    "video/3gpp": (".3gp", ".3g2"),
    "image/heic": (".heic", ".heif"),
    "image/avif": (".avif",),
    "image/tiff": (".tif", ".tiff"),
    "audio/mp4": (".m4a", ".m4b"),
    "audio/mpeg": (".mp3",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/wav": (".wav",),
    "audio/flac": (".flac",),
    "audio/amr": (".amr",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (".docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (".xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": (".pptx",),
    "application/vnd.oasis.opendocument.text": (".odt",),
    "application/vnd.oasis.opendocument.spreadsheet": (".ods",),
    "application/vnd.oasis.opendocument.presentation": (".odp",),
    "application/msword": (".doc",),
    "application/vnd.ms-excel": (".xls",),
    "application/vnd.ms-powerpoint": (".ppt",),
    "application/vnd.ms-outlook": (".msg",),
    "application/rtf": (".rtf",),
    "message/rfc822": (".eml",),
    "text/calendar": (".ics",),
    "text/vcard": (".vcf",),
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
    ("application/rtf", lambda head: head.startswith(b"{\\rtf")),
    ("image/tiff", lambda head: head[:4] in (b"II*\x00", b"MM\x00*")),
    ("audio/wav", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE"),
    ("audio/mpeg", lambda head: head[:3] == b"ID3" or head[:2] in (b"\xff\xfb", b"\xff\xf3")),
    ("audio/ogg", lambda head: head.startswith(b"OggS")),
    ("audio/flac", lambda head: head.startswith(b"fLaC")),
    ("audio/amr", lambda head: head.startswith(b"#!AMR")),
    # One container for pictures, sound and films; its brand says which.
    ("image/heic", lambda head: _brand(head) in (b"heic", b"heix", b"heim", b"heis", b"mif1",
                                                 b"msf1", b"hevc", b"heif")),
    ("image/avif", lambda head: _brand(head) in (b"avif", b"avis")),
    ("audio/mp4", lambda head: _brand(head) in (b"M4A ", b"M4B ")),
    ("video/3gpp", lambda head: _brand(head)[:2] == b"3g"),
    ("video/mp4", lambda head: bool(_brand(head))),
]  # fmt: skip
# The folder that an Office file of each type has in its archive.
_OFFICE_FOLDERS: Final = {
    "word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_TYPES: Final = ("application/msword", "application/vnd.ms-excel",
                     "application/vnd.ms-powerpoint", "application/vnd.ms-outlook")  # fmt: skip
_MAX_ENTRIES: Final = 10_000
_TEXT_STARTS: Final = {b"BEGIN:VCALENDAR": "text/calendar", b"BEGIN:VCARD": "text/vcard"}

_CONTROL_BYTES: Final = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"
_RESERVED: Final = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)$")


class PrivateFileSystemStorage(FileSystemStorage):
    """Files on this machine that no web server serves: they leave through private_response."""

    def url(self, name: str | None) -> str:
        raise ValueError("a private file has no address; use private_response")


def PrivateStorage() -> Storage:
    """Return the storage outside every public folder; give it to FileField(storage=…) uncalled."""
    return storages["private"]


def accept_upload(
    upload: File, *, max_bytes: int, allowed: Collection[str], field: str = "file"
) -> tuple[File, str]:
    """Return the file to store and its content type; pictures have lost their metadata by then.

    Every upload comes in through here. Refuses what is too large, empty, not allowed, or a
    picture that cannot be decoded.
    """
    content_type = validate_upload(upload, max_bytes=max_bytes, allowed=allowed, field=field)
    return without_metadata(upload, content_type, field=field)


def validate_upload(
    upload: File, *, max_bytes: int, allowed: Collection[str], field: str = "file"
) -> str:
    """Return the content type by the file's bytes; refuses what is large, empty or forbidden."""
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
    """Return the type the bytes speak of, or None.

    The name counts only to tell kinds of text, and of old Office files, from each other.
    """
    upload.seek(0)
    head = upload.read(_HEAD_BYTES)
    suffix = "." + (getattr(upload, "name", "") or "").lower().rpartition(".")[2]
    found = next((kind for kind, matches in _SIGNATURES if matches(head)), None)
    if found == "application/zip":
        found = _kind_of_archive(upload)
    elif head.startswith(_OLE):
        found = next((kind for kind in _OLE_TYPES if suffix in EXTENSIONS[kind]), None)
    elif found is None and _is_text(upload, suffix):
        found = _kind_of_text(head, suffix)
    upload.seek(0)
    return found


def _brand(head: bytes) -> bytes:
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _declared_kind(archive: zipfile.ZipFile, names: Collection[str]) -> str:
    """Return the kind that an OpenDocument file names in its first member; empty without one."""
    if "mimetype" not in names or archive.getinfo("mimetype").file_size > 100:
        return ""
    return archive.read("mimetype")[:100].decode("ascii", "replace").strip()


def _kind_of_archive(upload: IO[Any] | File) -> str | None:
    """Office files are archives of a known content; those with macros are not accepted."""
    upload.seek(0)
    try:
        with zipfile.ZipFile(upload) as archive:  # type: ignore[arg-type,unused-ignore]
            names = archive.namelist()[:_MAX_ENTRIES]
            declared = _declared_kind(archive, names)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError):
        return "application/zip"
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        return None
    if declared in EXTENSIONS:
        return declared
    if "[Content_Types].xml" not in names:
        return "application/zip"
    folders = [
        kind for start, kind in _OFFICE_FOLDERS.items() if any(n.startswith(start) for n in names)
    ]
    return folders[0] if len(folders) == 1 else "application/zip"


def _kind_of_text(head: bytes, suffix: str) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().upper()
    for mark, kind in _TEXT_STARTS.items():
        if start.startswith(mark):
            return kind
    if suffix == ".eml":
        return "message/rfc822"
    return "text/csv" if suffix == ".csv" else "text/plain"


def _is_text(upload: IO[Any] | File, suffix: str) -> bool:
    """Return whether the bytes are text; a table or note may have the charset of an old program."""
    upload.seek(0)
    content = upload.read()
    if content.translate(None, delete=_CONTROL_BYTES) != content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return suffix in (".csv", ".txt", ".eml", ".ics", ".vcf")
    return True


def safe_name(name: str, *, content_type: str | None = None) -> str:
    """Return a file name that is safe everywhere: no path, no control or direction characters.

    With a content type the extension matches it: "invoice.pdf.exe" that is a PNG becomes
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
    """Return a checked picture that a page may show; whatever else its bytes hold cannot run."""
    response = FileResponse(file, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    # Whether it may be seen can change any moment: a moderator may take the product down.
    response["Cache-Control"] = "private, no-cache"
    return response


def private_response(
    file: IO[bytes] | File, *, name: str, content_type: str | None = None
) -> FileResponse:
    """Return the file as a download that no browser renders, sniffs, caches or runs as ours."""
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
