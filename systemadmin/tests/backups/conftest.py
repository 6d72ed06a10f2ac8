"""A place for backups of each test's own, and databases that nobody else uses."""

import pytest
from django.core.files.storage import storages

SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def own_place(settings, tmp_path):
    """Backups, media, locks and flags of this test alone."""
    folder = tmp_path / "var"
    folder.mkdir()
    settings.VAR_DIR = folder
    settings.REDIS_URL = ""
    settings.BACKUP_PASSPHRASE = SECRET
    settings.BACKUP_BEFORE_CRITICAL = True
    file_system = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": file_system, "OPTIONS": {"location": folder / "media"}},
        "private": {"BACKEND": file_system, "OPTIONS": {"location": folder / "private"}},
        "backups": {"BACKEND": file_system, "OPTIONS": {"location": folder / "backups"}},
    }
    return folder


@pytest.fixture
def stored(own_place):
    """`stored()`: names of the files in the storage of backups, sorted."""

    def names():
        return sorted(storages["backups"].listdir("")[1])

    return names
