"""Private files: what uploads are let in, how they are named and how they leave."""

import io

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation.errors import InvalidInput, TooLarge
from systemadmin.foundation.files import (
    EXTENSIONS,
    PrivateFileSystemStorage,
    PrivateStorage,
    private_response,
    safe_name,
    sniff,
    validate_upload,
)

SAMPLES = {
    "image/png": b"\x89PNG\r\n\x1a\n" + b"\0" * 20,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "image/gif": b"GIF89a" + b"\0" * 20,
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3",
    "application/zip": b"PK\x03\x04" + b"\0" * 20,
    "application/gzip": b"\x1f\x8b\x08\0\0\0",
    "video/mp4": b"\0\0\0\x18ftypmp42",
    "text/plain": "línea uno\nline two\n".encode(),
}


@pytest.mark.parametrize(("content_type", "content"), SAMPLES.items())
def test_the_type_comes_from_the_bytes_not_from_the_name(content_type, content):
    upload = SimpleUploadedFile("lies.exe", content, content_type="image/x-lie")
    assert validate_upload(upload, max_bytes=1000, allowed=set(EXTENSIONS)) == content_type
    assert upload.read() == content


def test_csv_is_text_by_name():
    assert sniff(SimpleUploadedFile("a.CSV", b"a,b\n1,2\n")) == "text/csv"


@pytest.mark.parametrize(
    "content", [b"MZ\x90\0", b"\x7fELF\x02", b"\xff\xfe\0\0", b"caf\xe9", b"a\0b"]
)
def test_unknown_bytes_are_refused(content):
    with pytest.raises(InvalidInput) as caught:
        validate_upload(
            SimpleUploadedFile("photo.png", content), max_bytes=100, allowed=set(EXTENSIONS)
        )
    assert caught.value.errors[0]["code"] == "file_type_not_allowed"


def test_a_type_that_is_not_allowed_here_is_refused():
    with pytest.raises(InvalidInput):
        validate_upload(
            SimpleUploadedFile("a.pdf", SAMPLES["application/pdf"]),
            max_bytes=100,
            allowed={"image/png"},
        )


def test_size_limits():
    png = SAMPLES["image/png"]
    exact = SimpleUploadedFile("a.png", png)
    assert validate_upload(exact, max_bytes=len(png), allowed={"image/png"})
    with pytest.raises(TooLarge):
        validate_upload(exact, max_bytes=len(png) - 1, allowed={"image/png"})
    with pytest.raises(InvalidInput) as caught:
        validate_upload(SimpleUploadedFile("a.png", b""), max_bytes=9, allowed={"image/png"})
    assert caught.value.errors[0]["code"] == "empty_file"


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("photo.png", "image/png", "photo.png"),
        ("photo.JPEG", "image/jpeg", "photo.jpeg"),
        ("../../etc/passwd", None, "passwd"),
        ("C:\\Windows\\cmd.exe", "text/plain", "cmd.txt"),
        ("invoice.pdf.exe", "image/png", "invoice_pdf.png"),
        ("invoice\u202egnp.exe", "application/pdf", "invoicegnp.pdf"),
        ("a\r\nSet-Cookie: x.png", "image/png", "aSet-Cookie_x.png"),
        ("CON.png", "image/png", "file_CON.png"),
        ("...", None, "file"),
        ("", "application/pdf", "file.pdf"),
        ("año nuevo.txt", "text/plain", "año_nuevo.txt"),
        ('";rm -rf $HOME;".sh', "application/zip", "rm_-rf_HOME.zip"),
    ],
)
def test_safe_name(name, content_type, expected):
    assert safe_name(name, content_type=content_type) == expected


@given(st.text(), st.sampled_from([None, *EXTENSIONS]))
def test_safe_name_is_always_safe(name, content_type):
    made = safe_name(name, content_type=content_type)
    assert 0 < len(made) <= 120
    assert not set('/\\\0\r\n<>:"|?*') & set(made)
    assert not made.startswith(".")
    assert made.count(".") <= 1
    if content_type:
        assert "." + made.rsplit(".", 1)[1] in EXTENSIONS[content_type]


def test_private_response_is_inert():
    response = private_response(io.BytesIO(b"<script>"), name="x.html", content_type="text/plain")
    assert response["Content-Disposition"] == 'attachment; filename="x.txt"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Type"] == "text/plain"
    assert b"".join(response.streaming_content) == b"<script>"


def test_private_storage_is_the_configured_one():
    assert PrivateStorage() is storages["private"]


def test_private_files_have_no_address(tmp_path):
    storage = PrivateFileSystemStorage(location=tmp_path)
    name = storage.save("proof/a.txt", io.BytesIO(b"x"))
    with storage.open(name) as stored:
        assert stored.read() == b"x"
    with pytest.raises(ValueError, match="no address"):
        storage.url(name)
