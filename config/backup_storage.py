"""Django's settings of the storage that keeps backups."""

from pathlib import Path
from typing import Any


def backup_storage(*, folder: Path, bucket: str, prefix: str, endpoint_url: str) -> dict[str, Any]:
    """Return where backups are kept: a bucket when one is named, else a folder.

    Credentials come from the AWS variables that every S3 tool reads.
    """
    if not bucket:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": folder, "file_permissions_mode": 0o600},
        }
    options = {
        "bucket_name": bucket,
        "location": prefix,
        "endpoint_url": endpoint_url or None,
        "file_overwrite": False,
        "default_acl": None,
        "querystring_auth": True,
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
