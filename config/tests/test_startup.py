"""A web process settles in before its first request."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

PROGRAM = """
import gc, sys
import config.{name}
print(gc.get_freeze_count(), "riskops.api.links" in sys.modules)
"""


@pytest.mark.parametrize("name", ["wsgi", "asgi"])
def test_what_was_loaded_is_no_longer_walked_through(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        cwd=settings.BASE_DIR,
        # As a server starts it: the entry point itself names the settings.
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        | {"DJANGO_DEBUG": "1", "VAR_DIR": str(tmp_path), "LOG_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    frozen, has_views = done.stdout.split()
    assert int(frozen) > 100_000
    assert has_views == "True"


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("filemail:///var/mail/atalaya", "/var/mail/atalaya"),
        ("filemail://var/mail", "var/mail"),
        ("filemail:///var/mail%20out", "/var/mail out"),
    ],
)
def test_mail_into_files_takes_an_absolute_folder(address, folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.EMAIL_FILE_PATH)"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_DEBUG": "1", "VAR_DIR": str(tmp_path), "EMAIL_URL": address},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == folder
