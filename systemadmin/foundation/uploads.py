"""Multipart forms as UTF-8, part headers included; what is not is refused, not replaced."""

import codecs
import re
from typing import Any, Final

from django.core.files.uploadhandler import FileUploadHandler
from django.http import QueryDict
from django.http.multipartparser import MultiPartParser
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from systemadmin.foundation.content_type import content_type_is_plain, header_parameters
from systemadmin.foundation.request_encoding import RefusedForm, not_text

LONGEST_HEADERS: Final = 4096
_KEEPING: Final = "utf_8_keeping_octets"
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_TRANSFERS: Final = frozenset({"", "7bit", "8bit", "binary", "base64"})
_KIND = re.compile(r"\s*+form-data(?![^\s;])", re.IGNORECASE)
_PARAMETER = re.compile(
    r"""[ \t]*+;[ \t]*+(?:([A-Za-z]++\*?+)=("(?:[^"\\\x00]|\\[^\x00])*+"|[^\s;"\x00]++))?+"""
)


class Utf8UploadHandler(FileUploadHandler):
    """First in `FILE_UPLOAD_HANDLERS`: parses the form itself, with the other handlers."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],
        content_length: int,
        boundary: bytes,
        encoding: str | None = None,
    ) -> tuple[QueryDict, MultiValueDict]:
        """Return fields and files; raises `RefusedForm`."""
        request: Any = self.request
        others = [handler for handler in request.upload_handlers if handler is not self]
        stream: Any = _CheckedParts(input_data, boundary)
        data, files = MultiPartParser(META, stream, others, _KEEPING).parse()
        _check_fields(data)
        _check_files(files)
        data.encoding = "utf-8"
        return data, files

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Leave the data to the other handlers."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the other handlers."""


def _keep_octets(name: str) -> codecs.CodecInfo | None:
    """UTF-8 that keeps an octet it cannot read as half a surrogate pair, for `_check_text`.

    Django asks its codec to replace such octets, after which nobody can see that there were any.
    """
    if name != _KEEPING:
        return None

    def decode(octets: Any, _errors: str = "strict") -> tuple[str, int]:
        return codecs.utf_8_decode(octets, "surrogateescape", True)

    return codecs.CodecInfo(codecs.utf_8_encode, decode, name=name)


codecs.register(_keep_octets)


def _check_text(name: str, text: str) -> None:
    if _NOT_TEXT.search(text):
        raise not_text(_NOT_TEXT.sub("\ufffd", name)[:100])


def _check_fields(data: QueryDict) -> None:
    for name, values in data.lists():
        for text in (name, *values):
            _check_text(name, text)


def _check_files(files: MultiValueDict) -> None:
    for name, uploads in files.lists():
        for text in (name, *(upload.name or "" for upload in uploads)):
            _check_text(name, text)


class _CheckedParts:
    """The stream of a form, with the headers of each part checked as they pass.

    Django leaves out a header that it cannot read, and the part with it.
    """

    def __init__(self, stream: Any, boundary: bytes) -> None:
        self._stream = stream
        self._delimiter = b"--" + boundary
        self._pending = b""
        self._is_in_headers = False

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._pending += data
        while self._step():
            pass
        return data

    def _step(self) -> bool:
        """Go over what is known so far; True while there is more to go over."""
        if self._is_in_headers:
            return self._end_of_headers()
        found = self._pending.find(self._delimiter)
        if found < 0:
            self._pending = self._pending[-len(self._delimiter) + 1 :]
            return False
        self._pending = self._pending[found + len(self._delimiter) :]
        self._is_in_headers = True
        return True

    def _end_of_headers(self) -> bool:
        if self._pending.startswith(b"--"):
            self._is_in_headers = False
            return False
        found = self._pending.find(b"\r\n\r\n")
        if max(found, len(self._pending) if found < 0 else 0) > LONGEST_HEADERS:
            raise RefusedForm("", _("The headers of a part are too long."))
        if found < 0:
            return False
        _check_headers(self._pending[:found])
        self._pending = self._pending[found + 4 :]
        self._is_in_headers = False
        return True


def _check_headers(raw: bytes) -> None:
    try:
        lines = raw.decode("utf-8").split("\r\n")
    except UnicodeDecodeError as error:
        raise RefusedForm("", _("Send the headers of each part as UTF-8.")) from error
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or not _is_readable(name.strip().lower(), value):
            raise RefusedForm("", _("The headers of a part cannot be read."))


def _is_readable(name: str, value: str) -> bool:
    if "\x00" in value or "\n" in value or "\r" in value:
        return False
    if name == "content-type":
        return content_type_is_plain(value.strip())
    if name == "content-transfer-encoding":
        return value.strip().lower() in _TRANSFERS
    if name == "content-disposition":
        return _is_plain_disposition(value)
    return True


def _is_plain_disposition(value: str) -> bool:
    parameters = header_parameters(value, _KIND, _PARAMETER)
    if parameters is None or "name*" in parameters:
        return False
    # `filename*=utf-8''na%C3%AFve.txt` (RFC 5987): any other charset would choose a codec.
    return parameters.get("filename*", "utf-8'").lower().startswith("utf-8'")
