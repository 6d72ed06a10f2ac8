"""Secrets at rest: round trips, tampering, purposes and retired keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation.crypto import (
    DecryptionFailed,
    decrypt_secret,
    encrypt_secret,
    keyed_hash,
    keyed_hash_matches,
    keyed_hashes,
)


@given(st.text())
def test_round_trip(value):
    assert decrypt_secret(encrypt_secret(value)) == value


def test_the_same_value_never_looks_the_same():
    assert encrypt_secret("abc") != encrypt_secret("abc")


def test_another_purpose_cannot_read():
    with pytest.raises(DecryptionFailed):
        decrypt_secret(encrypt_secret("abc", purpose="totp"), purpose="mail")


def test_every_changed_character_is_noticed():
    token = encrypt_secret("abc")
    for index, char in enumerate(token.rstrip("=")[:-1]):
        changed = token[:index] + ("A" if char != "A" else "B") + token[index + 1 :]
        with pytest.raises(DecryptionFailed):
            decrypt_secret(changed)


@pytest.mark.parametrize("token", ["", "v1:", "v1:AAAA", "plain", "v1:ñ", "v2:" + "A" * 60])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(DecryptionFailed):
        decrypt_secret(token)


def test_a_retired_key_still_reads_until_it_is_dropped(settings):
    settings.SECRET_KEY = "old" * 20
    token, digest = encrypt_secret("abc"), keyed_hash("code", purpose="recovery")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, ["old" * 20]
    assert decrypt_secret(token) == "abc"
    assert keyed_hash_matches("code", digest, purpose="recovery")
    assert digest in keyed_hashes("code", purpose="recovery")
    assert keyed_hash("code", purpose="recovery") != digest
    settings.SECRET_KEY_FALLBACKS = []
    assert not keyed_hash_matches("code", digest, purpose="recovery")
    with pytest.raises(DecryptionFailed):
        decrypt_secret(token)


def test_keyed_hash_depends_on_value_and_purpose():
    digest = keyed_hash("code", purpose="a")
    assert len(digest) == 64
    assert digest == keyed_hash("code", purpose="a")
    assert digest != keyed_hash("code", purpose="b")
    assert not keyed_hash_matches("other", digest, purpose="a")
