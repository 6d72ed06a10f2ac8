"""No secret survives masking, and ordinary text does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation import masking
from systemadmin.foundation.masking import (
    MASK,
    is_secret_field,
    literal_secrets,
    mask_text,
    mask_value,
)
from systemadmin.foundation.testing import processor_seconds

KEY = "s3cr3t-Value_9f8e7d6c5b4a"
BOT = "123456789:AAE-abcdefghijklmnopqrstuvwxyz_01234"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "new_password",
        "password1",
        "X-API-Key",
        "api_key",
        "apiKey",
        "HTTP_AUTHORIZATION",
        "Authorization",
        "otp_code",
        "recovery_codes",
        "BACKUP_PASSPHRASE",
        "TELEGRAM_BOT_TOKEN",
        "access_token",
        "accessToken",
        "token",
        "Set-Cookie",
        "cookie",
        "csrfmiddlewaretoken",
        "DJANGO_SECRET_KEY",
        "client_secret",
        "sessionid",
        "session_key",
        "aws_secret_access_key",
    ],
)
def test_names_of_secrets_are_known(name):
    assert is_secret_field(name)


@pytest.mark.parametrize(
    "name", ["tokens_used", "passenger", "key", "username", "secretary", "password_changed_at", 5]
)
def test_harmless_names_stay(name):
    assert not is_secret_field(name)


@pytest.mark.parametrize(
    "text",
    [
        f"password={KEY}",
        f"password: {KEY}",
        f"'password': '{KEY}'",
        f'"password":"{KEY}"',
        f'{{"newPassword": "{KEY}", "a": 1}}',
        f'{{\\"password\\": \\"{KEY}\\", \\"a\\": 1}}',
        f"old_password => {KEY}",
        f"GET /x?a=1&token={KEY}&b=2",
        f"Authorization: Bearer {KEY}",
        f"Authorization: Token {KEY}",
        f"'Authorization': 'Bearer {KEY}'",
        f"sent Bearer {KEY} to it",
        f"Cookie: sessionid={KEY}; csrftoken={KEY}",
        f"Set-Cookie: sessionid={KEY}; HttpOnly",
        f"otp_code={KEY}",
        f"recovery_codes=['{KEY}', '{KEY}']",
        f"X-API-Key: {KEY}",
        f"postgres://atalaya:{KEY}@db.example:5432/atalaya",
        f"postgres://atalaya:{KEY}/with@signs@db/atalaya",
        f"redis://:{KEY}@cache:6379/0",
        f"https://user:{KEY}@example.com/path",
        f"tgram://{BOT}/123",
        f"slack://{KEY}/B/C",
        f"otpauth://totp/Atalaya:ana?secret={KEY}",
        f"https://hooks.slack.com/services/T000/B000/{KEY}",
        f"https://discord.com/api/webhooks/1/{KEY}",
        f"https://api.telegram.org/bot{BOT}/sendMessage timed out",
        f"https://api.telegram.org/file/bot{BOT}/photo.jpg",
        f"the bot {BOT} was refused",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{KEY}",
        f"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----",
    ],
)
def test_secrets_in_text_are_masked(text):
    masked = mask_text(text)
    assert KEY not in masked
    assert "AAE-" not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/products?search=coat&page=2 200",
        "https://example.com:8000/path/@someone?x=1",
        "https://example.com/path",
        "Product 12 approved at 10:30:15",
        "password=None token='' secret: null",
        "The token has expired",
        "sqlite:////var/lib/atalaya.sqlite3",
        "postgres://postgres@127.0.0.1:5432/atalaya",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert mask_text(text) == text


def test_what_surrounds_a_secret_stays_readable():
    assert (
        mask_text("GET /x?a=1&token=abcdef&b=2 by postgres://u:pw@h/db")
        == f"GET /x?a=1&token={MASK}&b=2 by postgres://u:{MASK}@h/db"
    )


def test_values_are_masked_by_name_at_any_depth_and_by_shape():
    value = {
        "user": "ana",
        "password": KEY,
        "headers": [{"Authorization": f"Bearer {KEY}"}, ("url", f"redis://:{KEY}@h/0")],
        "recovery_codes": ["a", "b"],
        "has_password": True,
        "token": None,
        "note": b"password=" + KEY.encode(),
    }
    masked = mask_value(value)
    assert KEY not in repr(masked)
    assert masked["user"] == "ana"
    assert masked["recovery_codes"] == MASK
    assert masked["has_password"] is True
    assert masked["token"] is None
    assert value["password"] == KEY, "the caller's own value is not touched"


def test_endless_values_end():
    value: dict = {}
    value["self"] = value
    assert "self" in mask_value(value)


def test_literals_are_masked_wherever_they_stand():
    literals = literal_secrets(["", None, "short", "the%2Fpassphrase of 2026"])
    assert "short" not in literals
    assert "2026" not in mask_text("it is the/passphrase of 2026!", literals)


def test_a_literal_does_not_hide_the_pattern_around_another_secret():
    assert KEY not in mask_text(f"postgres://u:{KEY}@h/db", ["postgres"])


@given(
    before=st.text(max_size=30),
    field=st.sampled_from(["password", "token", "api_key", "otp_code", "passphrase"]),
    quote=st.sampled_from(['"', "'", ""]),
    secret=st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=8, max_size=40),
    after=st.text(max_size=30),
)
def test_a_named_secret_never_survives(before, field, quote, secret, after):
    text = f"{before} {quote}{field}{quote}: {quote}{secret}{quote} {after}"
    if secret in before or secret in after:
        return
    if {'"', "'"} & set(before):
        return  # an unclosed quote before it is another text
    assert f"{quote}{secret}{quote} " not in mask_text(text)


@pytest.mark.parametrize("piece", ["a_", "a", "password=", "eyJa.", "://:@", "[(", "token ", "'\\"])
def test_long_text_is_masked_in_time(piece):
    started = time.perf_counter()
    mask_text(piece * 30_000)
    assert time.perf_counter() - started < 5


@given(
    st.lists(
        st.sampled_from(
            [
                "Bearer",
                "bAsIc",
                "token",
                " ",
                "\t",
                "eyJ",
                "abcdefgh12",
                ".",
                "-----BEGIN ",
                ":",
                "=",
            ]
            + [
                "PRIVATE KEY-----",
                "-----END ",
                "http",
                "//",
                "/bot1",
                "password",
                "cookie",
                "\u212a",
            ]
        )
        | st.text(max_size=4),
        max_size=12,
    ).map("".join)
)
def test_no_text_that_a_step_would_change_lacks_a_sign(text):
    if any(pattern.search(text) for pattern, _ in masking._STEPS):
        assert masking._SIGN.search(text)


def test_a_key_that_was_cut_off_is_masked_to_the_end():
    assert mask_text("see: -----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN") == "see: ***"


@pytest.mark.parametrize(
    "piece", ["-----BEGIN PRIVATE KEY-----", "password=[", 'password: "\\', "a://", "eyJaaaaaaaa."]
)
def test_any_text_is_masked_in_linear_time(piece):
    text = piece * (200_000 // len(piece))
    assert processor_seconds(lambda: mask_text(text)) < 1
