"""What a process with production settings sends, by the points of Mozilla's Observatory."""

import json
import os
import secrets
import subprocess
import sys

import pytest
from django.conf import settings

ASK = """
import json
from django.test import Client
browser = Client(raise_request_exception=False)
def ask(path, secure):
    answer = browser.get(path, secure=secure, headers={"accept": "text/html", "host": "a.example"})
    cookies = {c.key: [bool(c["secure"]), bool(c["httponly"]), c["samesite"]]
               for c in answer.cookies.values()}
    return [answer.status_code, dict(answer.headers), cookies]
print("ANSWERS" + json.dumps({
    "plain": ask("/admin/login/", False), "page": ask("/admin/login/", True),
    "api": ask("/api/health", True),
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    # On SQLite and not migrated: the sign-in page asks the database nothing.
    kept = ("PATH", "HOME", "LANG")
    env = {name: os.environ[name] for name in kept if name in os.environ} | {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
        "BACKUP_PASSPHRASE": secrets.token_urlsafe(32),
        "DJANGO_ALLOWED_HOSTS": "a.example",
        "PUBLIC_URL": "https://a.example",
        "VAR_DIR": str(tmp_path_factory.mktemp("var")),
        "LOG_DIR": "",
    }
    ran = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", ASK],
        cwd=settings.BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "ANSWERS" in ran.stdout, ran.stdout + ran.stderr
    return json.loads(ran.stdout.split("ANSWERS", 1)[1])


def test_plain_http_is_sent_to_tls_on_the_same_host(answers):
    status, headers, _cookies = answers["plain"]
    assert (status, headers["Location"]) == (301, "https://a.example/admin/login/")


@pytest.mark.parametrize("which", ["page", "api"])
def test_headers(answers, which):
    status, headers, _cookies = answers[which]
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains; preload"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    # Nor who serves it.
    assert not {"Server", "X-Powered-By"} & set(headers)


def test_cookies(answers):
    _status, _headers, cookies = answers["page"]
    assert cookies
    for name, (secure, http_only, same_site) in cookies.items():
        assert (secure, same_site) == (True, "Lax"), name
        assert http_only or name == "csrftoken"
