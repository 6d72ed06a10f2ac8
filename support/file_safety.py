"""What may be handed out to whoever holds a link: files that are what they say, and no programs."""

import zipfile
from typing import Any, Final

from django.core.files.base import File

from systemadmin.foundation.files import EXTENSIONS, sniff

# Programs and what starts them, on the systems that people use.
PROGRAMS: Final = frozenset(
    ["apk", "app", "bat", "chm", "cmd", "com", "cpl", "deb", "dll", "dmg", "docm", "dotm", "exe",
     "gadget", "hta", "htm", "html", "img", "inf", "iso", "jar", "js", "jse", "lnk", "msc", "msi",
     "msp", "pif", "pkg", "potm", "ppam", "ppsm", "pptm", "ps1", "reg", "rpm", "scf", "scr", "sh",
     "svg", "url", "vb", "vbe", "vbs", "vhd", "vhdx", "wsf", "wsh", "xlam", "xlsm", "xltm"]
)  # fmt: skip
ARCHIVES: Final = frozenset(
    ["7z", "ace", "arj", "bz2", "cab", "gz", "rar", "tar", "tgz", "xz", "zip"]
)
_MAX_ENTRIES: Final = 10_000


def is_safe_to_hand_out(attachment: Any) -> bool:
    """Return whether a stored file is of a known type by its bytes and holds no program.

    An archive that cannot be looked into (encrypted, nested, compressed as a whole) is not.
    """
    if attachment.content_type not in EXTENSIONS or attachment.content_type == "application/gzip":
        return False
    try:
        with attachment.file.open("rb") as stream:
            # The name tells kinds of text from each other.
            if sniff(File(stream, name=attachment.name)) != attachment.content_type:
                return False
            return attachment.content_type != "application/zip" or _is_harmless_archive(stream)
    except OSError:
        return False


def _is_harmless_archive(stream: Any) -> bool:
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError):
        return False
    return len(entries) <= _MAX_ENTRIES and not any(
        entry.flag_bits & 1 or _suffix(entry.filename) in PROGRAMS | ARCHIVES for entry in entries
    )


def _suffix(name: str) -> str:
    return name.lower().rstrip(". /").rpartition(".")[2]
