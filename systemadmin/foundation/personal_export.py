"""The file of an export: JSON for machines and a page for people, in one ZIP."""

import hashlib
import html
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

Row = dict[str, Any]

# Rows of a table that the page shows; the JSON file has all.
SHOWN_ROWS: Final = 200
_CHUNK: Final = 1 << 20
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class ExportFile:
    """A ZIP in the making: `add_table` and `add_file`, then `close`."""

    def __init__(self, path: Path, *, title: str, language: str) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._path, self._title, self._language = path, title, language
        self._sections: list[str] = []
        self.rows = 0

    def add_table(self, app: str, name: str, heading: str, rows: Iterable[Row]) -> int:
        """Write one table as `app/name.json` and as a section of the page; return its rows."""
        shown: list[Row] = []
        count = 0
        member = f"{app}/{name}.json"
        with self._zip.open(member, "w", force_zip64=True) as out:
            out.write(b"[")
            for count, row in enumerate(_kept(rows, shown), start=1):
                text = json.dumps(row, default=_plain, ensure_ascii=False, indent=1)
                out.write((",\n" if count > 1 else "\n").encode() + text.encode())
            out.write(b"\n]\n")
        self.rows += count
        self._sections.append(_section(heading, member, shown, count))
        return count

    def add_file(self, folder: str, key: object, name: str, file: Any) -> str:
        """Write one file as `files/folder/key-name`; return its place in the ZIP."""
        safe = _SAFE.sub("_", os.path.basename(name)).strip("._") or "file"
        member = f"files/{folder}/{key}-{safe}"
        with self._zip.open(member, "w", force_zip64=True) as out:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                out.write(chunk)
        return member

    def close(self) -> str:
        """Add the page, finish the file and return its SHA-256."""
        self._zip.writestr("index.html", _page(self._title, self._language, self._sections))
        self._zip.close()
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                digest.update(chunk)
        return digest.hexdigest()


def _kept(rows: Iterable[Row], shown: list[Row]) -> Iterator[Row]:
    for row in rows:
        if len(shown) < SHOWN_ROWS:
            shown.append(row)
        yield row


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return str(_plain(value))


def _section(heading: str, member: str, rows: list[Row], count: int) -> str:
    title = f"<h2>{html.escape(heading)}</h2>"
    if not rows:
        nothing = _("Nothing is stored here.")
        return f"{title}<p>{html.escape(nothing)}</p>"
    names = list(rows[0])
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    cells = (
        "".join(f"<td>{html.escape(_text(row.get(name)))}</td>" for name in names) for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in cells)
    said = _("%(count)d rows. All of them are in %(file)s.") % {"count": count, "file": member}
    link = f'<p><a href="{html.escape(member)}">{html.escape(said)}</a></p>'
    return f"{title}{link}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _page(title: str, language: str, sections: Iterable[str]) -> str:
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}"
        "table{border-collapse:collapse;display:block;overflow-x:auto}"
        "td,th{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    )
    return (
        f'<!doctype html><html lang="{html.escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{''.join(sections)}</body></html>"
    )
