"""No secret is in the tree."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)

# Shapes that only a real credential has; each with what it is.
SECRETS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64,}",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{60,}\b",
    "GitLab token": r"\bglpat-[\w-]{20,}\b",
    "Slack token": r"\bxox[abprs]-[\w-]{20,}\b",
    "Stripe key": r"\b[sr]k_live_[A-Za-z0-9]{20,}\b",
    "Google key": r"\bAIza[\w-]{35}\b",
    "Telegram bot": r"\b[0-9]{8,10}:AA[\w-]{33}\b",
    "webhook secret": r"\bwhsec_[A-Za-z0-9+/=]{32,}",
    "JWT": r"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}\b",
    "URL with a password": r"\b(?:postgres|postgresql|redis|smtp\+tls|https?)://[^\s:/@'\"`{}<>|]+:"
    r"(?!password|secret|replace-me|postgres|POSTGRES|hunter2|…|\.\.\.)[^\s:/@'\"`{}<>$|]{6,}@",
}
# Invented or published by a specification, and looked at: what it is in which file.
INVENTED = {
    ("webhook secret", "systemadmin/tests/test_webhook_signing.py"),  # Standard Webhooks' example
    ("Telegram bot", "systemadmin/tests/test_alerts.py"),
    ("Telegram bot", "systemadmin/tests/test_masking.py"),
}


def tracked():
    """Every text file that a commit would carry."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (raw := path.read_bytes()):
            yield name, raw.decode("utf-8", "replace")


def secrets_in(text):
    return {kind for kind, shape in SECRETS.items() if re.search(shape, text)}


def test_no_secret_is_in_the_tree():
    found = {(kind, name) for name, text in tracked() for kind in secrets_in(text)}
    assert found - INVENTED == set()


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("AWS key", ["AKIA", "IOSFODNN7EXAMPLE"]),
        ("GitHub token", ["ghp_", "a" * 36]),
        ("private key", ["-----BEGIN RSA PRIVATE", " KEY-----\n", "A" * 70]),
        ("URL with a password", ["postgres://shop:", "tr0ub4dor3", "@db/shop"]),
        ("JWT", ["eyJ", "a" * 20, ".eyJ", "b" * 20, ".", "c" * 30]),
    ],
)
def test_the_scan_sees_a_secret(kind, parts):
    assert secrets_in("".join(parts)) == {kind}
