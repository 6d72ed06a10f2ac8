"""The bytes of a part of a mail, and what its header says of them, whatever is wrong with it."""

import binascii
import re
from email.message import Message

from .mail_charsets import decode_text
from .mail_headers import header_text

# Some programs write all of it in one line.
BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2}\s*$")


def content_of(part: Message) -> bytes:
    """Return the decoded content; base64 of text may be broken."""
    words = str(part.get("Content-Transfer-Encoding", "")).lower().replace(";", " ").split()
    encoding = words[0] if words else ""
    is_text = part.get_content_maintype() in ("text", "multipart")
    if words:
        part.replace_header(
            "Content-Transfer-Encoding", "8bit" if is_text and encoding == "base64" else encoding
        )
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    return _base64_text(data, charset_of(part)) if is_text and encoding == "base64" else data


def _base64_text(payload: bytes, charset: str | None) -> bytes:
    """Return text declared as base64, which may be none or have lines after it that are none."""
    lines = payload.strip().splitlines()
    at = next((i for i, row in enumerate(lines) if not BASE64_LINE.match(row)), len(lines))
    if at < len(lines) and b" " not in lines[at].strip():
        at += 1  # a line damaged on the way
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", b"".join(lines[:at]))
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    decoded = binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    rest = b"\n".join(lines[at:])
    if at == 0 or (len(lines) == at == 1 and _is_garbage(decoded, payload, charset)):
        return payload
    return decoded + (b"\n" + rest if rest.strip() else b"")


def _is_garbage(decoded: bytes, payload: bytes, charset: str | None) -> bool:
    """One word of plain text may look like base64; what comes out of it is no text."""
    if len(payload.strip()) % 4:
        charset = None
    text = decode_text(decoded, charset)
    is_utf_8 = charset is not None or decoded.decode("utf-8", "replace").count("\ufffd") == 0
    return not is_utf_8 or not all(c.isprintable() or c in "\n\t" for c in text)


def charset_of(part: Message) -> str | None:
    """Return the charset a part declares, or None where the declaration cannot be read."""
    try:
        return part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        return None


def parameter_of(part: Message, name: str) -> str:
    """Return a parameter of Content-Type in lower case, or nothing where it cannot be read."""
    try:
        return str(part.get_param(name, "")).strip().lower()
    except (ValueError, LookupError, TypeError):
        return ""


def filename_of(part: Message) -> str:
    """Return the name of the file, or nothing."""
    try:
        return header_text(part.get_filename() or "").strip()
    except (ValueError, LookupError, TypeError):
        return ""
