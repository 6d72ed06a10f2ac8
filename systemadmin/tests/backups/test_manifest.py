import json
from datetime import UTC, datetime

import pytest

from systemadmin.backups.errors import ManifestInvalid
from systemadmin.backups.format import manifest
from systemadmin.backups.format.manifest import Manifest, Part, Signer, Table

SALT = b"s" * 16
SIGNER = Signer(passphrase="open sesame", secret="django")


def example(**changes):
    values = {
        "name": "atalaya-20261123T085731Z-1a2b3c4d",
        "taken_at": datetime(2026, 11, 23, 8, 57, 31, tzinfo=UTC),
        "engine": "postgresql",
        "engine_version": "15.20",
        "database": "atalaya",
        "app_version": "0.1.0",
        "migrations": ["systemadmin.0001_initial"],
        "tables": {"systemadmin_user": Table(3, "00ff"), "ñandú": Table(0, "0")},
        "parts": [Part("database", "a.pgdump", 10, "ab" * 32, True, False)],
        "note": "antes de migrar",
    }
    return Manifest(**{**values, **changes})


def test_round_trip():
    assert manifest.load(manifest.dump(example(), SIGNER, SALT), SIGNER) == example()


def test_sums():
    one = example()
    assert (one.size, one.rows) == (10, 3)
    assert one.part("database").name == "a.pgdump"
    assert one.part("media") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a.pgdump", "b.pgdump"),
        ("0001_initial", "0002_initial"),
        ("systemadmin_user", "systemadmin_usex"),
        ("15.20", "15.21"),
    ],
)
def test_any_change_breaks_the_signature(old, new):
    stored = manifest.dump(example(), SIGNER, SALT).decode()
    assert old in stored
    with pytest.raises(ManifestInvalid, match="signature"):
        manifest.load(stored.replace(old, new).encode(), SIGNER)


def test_another_passphrase_does_not_verify():
    stored = manifest.dump(example(), SIGNER, SALT)
    for other in (Signer(passphrase="x", secret="django"), Signer(secret="django"), Signer()):
        with pytest.raises(ManifestInvalid):
            manifest.load(stored, other)


def test_secret_key_and_its_fallbacks():
    stored = manifest.dump(example(), Signer(secret="old"), SALT)
    assert manifest.load(stored, Signer(secret="new", older_secrets=("older", "old")))
    assert manifest.load(stored, Signer(passphrase="set later", secret="old"))
    with pytest.raises(ManifestInvalid):
        manifest.load(stored, Signer(secret="new"))


def test_a_signature_cannot_be_moved_to_another_kind_of_key():
    stored = json.loads(manifest.dump(example(), Signer(secret="django"), SALT))
    stored["signature"]["by"] = "none"
    with pytest.raises(ManifestInvalid):
        manifest.load(json.dumps(stored).encode(), SIGNER)


@pytest.mark.parametrize(
    "junk",
    [b"", b"{}", b"[]", b"\xff\xfe", b"null", b'{"body": 1, "signature": {}, "atalaya_backup": 1}'],
)
def test_junk_is_refused(junk):
    with pytest.raises(ManifestInvalid):
        manifest.load(junk, SIGNER)


def test_too_large():
    with pytest.raises(ManifestInvalid, match="large"):
        manifest.load(b" " * (manifest.MAX_BYTES + 1), SIGNER)


def test_another_version_is_named():
    stored = json.loads(manifest.dump(example(), SIGNER, SALT))
    stored["atalaya_backup"] = 2
    with pytest.raises(ManifestInvalid, match="version 2"):
        manifest.load(json.dumps(stored).encode(), SIGNER)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "", "a/b", ".hidden", "a\0b"])
def test_a_part_cannot_name_a_path(name):
    with pytest.raises(ManifestInvalid):
        Part("database", name, 1, "ab", False, False)


def test_a_missing_field_is_refused_even_when_signed():
    body = json.dumps({"version": 1, "name": "x"})
    stored = {
        "atalaya_backup": 1,
        "body": body,
        "signature": SIGNER.sign(body.encode(), SALT),
    }
    with pytest.raises(ManifestInvalid, match="field"):
        manifest.load(json.dumps(stored).encode(), SIGNER)


def test_salt_is_found_again():
    assert manifest.salt_of(manifest.dump(example(), SIGNER, SALT)) == SALT
    assert manifest.salt_of(b"junk") is None


def test_secrets_are_not_in_it():
    stored = manifest.dump(example(), SIGNER, SALT)
    assert b"open sesame" not in stored
    assert b"django" not in stored
