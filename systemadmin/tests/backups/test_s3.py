"""Backups in a bucket: the same settings as production, against a local S3 server."""

from importlib import import_module

import pytest
from django.core.files.storage import storages

from systemadmin.backups.downloads import download
from systemadmin.backups.format.manifest import SUFFIX
from systemadmin.backups.vault import open_vault
from systemadmin.errors import BackupFailed, BackupNotRestorable
from systemadmin.models import Backup, User
from systemadmin.services.backups import (
    create_backup,
    import_backups,
    prune_backups,
    restore_backup,
    verify_backup,
)
from systemadmin.tests.backups.factories import grow_old

pytestmark = pytest.mark.slow
BUCKET = "atalaya-backups"


@pytest.fixture(scope="module")
def server():
    moto_server = pytest.importorskip("moto.server")
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, settings, monkeypatch, tmp_path):
    """A new bucket, and the project's own function that turns settings into a storage."""
    # By name: tests of this floor do not import the one above.
    project = import_module("config.backup_storage")
    boto3 = pytest.importorskip("boto3")

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket=BUCKET)
    storage = project.backup_storage(
        folder=tmp_path, bucket=BUCKET, prefix="nightly", endpoint_url=server
    )
    settings.STORAGES = {**settings.STORAGES, "backups": storage}
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


def keys(client):
    return sorted(i["Key"] for i in client.list_objects_v2(Bucket=BUCKET).get("Contents", []))


def test_there_and_back(own_database, people, bucket):
    backup = create_backup()
    found = keys(bucket)
    assert len(found) == 3
    assert all(key.startswith(f"nightly/{backup.name}") for key in found)
    assert verify_backup(backup=backup).status == "passed"
    User.objects.all().delete()
    restore_backup(backup=backup, confirm=own_database.typed)
    assert User.objects.count() == 5


def test_it_is_found_on_a_fresh_machine_and_handed_out(own_database, bucket):
    backup = create_backup()
    Backup.objects.all().delete()
    imported = import_backups().imported
    assert [row.name for row in imported] == [backup.name]
    handed = b"".join(download(actor=None, backup=imported[0]).streaming_content)
    assert len(handed) == next(p["size"] for p in imported[0].parts if p["kind"] == "database")


def test_retention_empties_the_bucket_of_what_is_old(own_database, bucket):

    old, new = create_backup(), create_backup()
    grow_old(old, 60)
    prune_backups()
    assert all(new.name in key for key in keys(bucket))


def test_a_flipped_byte_and_a_lost_manifest(own_database, bucket):
    backup = create_backup()
    part = next(p["name"] for p in backup.parts if p["kind"] == "database")
    key = f"nightly/{part}"
    data = bytearray(bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    data[len(data) // 2] ^= 1
    bucket.put_object(Bucket=BUCKET, Key=key, Body=bytes(data))
    assert verify_backup(backup=backup).error_code == "stream_damaged"
    other = create_backup()
    bucket.delete_object(Bucket=BUCKET, Key=f"nightly/{other.name}{SUFFIX}")
    with pytest.raises(BackupNotRestorable):
        restore_backup(backup=other, confirm=own_database.typed)


def test_no_bucket_no_backup(own_database, bucket):
    bucket.delete_bucket(Bucket=BUCKET)
    with pytest.raises(BackupFailed):
        create_backup()
    assert Backup.objects.get().status == "failed"
    bucket.create_bucket(Bucket=BUCKET)
    assert open_vault().store.names() == []
    assert storages["backups"].listdir("")[1] == []
