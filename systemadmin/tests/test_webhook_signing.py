"""Signatures as the Standard Webhooks specification says, checked by its public package."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from systemadmin.webhook_signing import headers, new_secret, secret_bytes, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_vector_of_the_specification():
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(SECRET, MESSAGE, 1614265330, body) == expected


@given(st.binary(max_size=300).map(lambda raw: b'{"x": "%s"}' % raw.hex().encode()))
def test_the_public_package_accepts_ours(body):
    secret = new_secret()
    made = headers([secret], "msg_1", int(time.time()), body)
    Webhook(secret).verify(body, made)


def test_the_public_package_refuses_a_changed_body():
    made = headers([SECRET], "msg_1", int(time.time()), b"{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b'{"a": 1}', made)


def test_rotation_signs_with_both_secrets():
    old, new = new_secret(), new_secret()
    now = int(time.time())
    made = headers([new, old], "msg_1", now, b"{}")
    for secret in (old, new):
        Webhook(secret).verify(b"{}", made)
        assert verify(secret, "msg_1", now, b"{}", made["webhook-signature"])
    assert not verify(new_secret(), "msg_1", now, b"{}", made["webhook-signature"])


@pytest.mark.parametrize("bad", ["whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "whsec_" + "QUJD" * 30])
def test_malformed_secrets_are_refused(bad):
    with pytest.raises(ValueError):
        secret_bytes(bad)
