"""The files of `docs/deploy`: they fit one another, and the platforms that the manual names."""

import difflib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config.tests.shipped_nginx import NGINX, ShippedNginx

ROOT = Path(settings.BASE_DIR)
DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
VARIABLE = re.compile(r"^([A-Z0-9_]+)=(.*)$", re.MULTILINE)


def variables(name):
    return dict(VARIABLE.findall((DEPLOY / name).read_text()))


def directives(name):
    """The lines of an nginx file without comments and indentation."""
    lines = (line.split("#")[0].strip() for line in (DEPLOY / name).read_text().splitlines())
    return [line for line in lines if line]


@pytest.mark.skipif(not NGINX, reason="needs nginx (apt-get install nginx-light)")
def test_nginx_accepts_the_shipped_file(tmp_path):
    code, text = ShippedNginx(tmp_path, web=1, stream=1, static=tmp_path).check()
    assert code == 0, text


def test_the_file_for_systemd_knows_no_directive_newer_than_debian_12():
    # "http2 on;" came with 1.25.1, "resolve" of an upstream with 1.27.3.
    text = "\n".join(directives("nginx.conf"))
    assert not re.search(r"^http2 |\bresolve;", text, re.MULTILINE)
    assert "listen 443 ssl http2;" in text


def test_the_two_nginx_files_differ_where_they_must_and_nowhere_else():
    ours, theirs = directives("nginx.conf"), directives("nginx-compose.conf")
    changed = [line[2:] for line in difflib.ndiff(ours, theirs) if line.startswith(("- ", "+ "))]
    pattern = re.compile(r"^(upstream |resolver |listen |http2 on;|access_log /(dev|var)/)")
    assert [line for line in changed if not pattern.match(line)] == []


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-compose.conf"])
def test_what_a_caller_says_of_its_way_is_set_and_not_appended_to(name):
    text = (DEPLOY / name).read_text()
    assert "proxy_add_x_forwarded_for" not in text
    assert "underscores_in_headers off;" in text
    assert text.count("proxy_set_header X-Forwarded-For $remote_addr;") == 2
    longest = 120  # the upper bound of messaging.stream_heartbeat_seconds
    assert int(re.search(r"proxy_buffering off;\s+proxy_read_timeout (\d+)s", text)[1]) > longest


@pytest.mark.parametrize("name", ["atalaya.env", "compose.env"])
def test_the_examples_name_documented_variables_and_leave_no_secret_to_guess(name):
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.M)) | {"POSTGRES_PASSWORD"}
    assert variables(name).keys() <= documented
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    markers = set(re.findall(r"replace-me[a-z-]*", (DEPLOY / name).read_text()))
    assert len(markers) == 3
    assert {marker for marker in markers if marker not in manual} == set()


def test_compose_sets_what_the_read_only_container_needs():
    # Comes with drf-spectacular; nothing of ours needs it.
    yaml = pytest.importorskip("yaml")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    apps = ["migrate", "web", "stream", "worker", "worker-long"]
    volumes = {"data": "/var/lib/atalaya", "static": "/srv/atalaya/static"}
    for name in apps:
        service = compose["services"][name]
        given = service["environment"]
        assert "${POSTGRES_PASSWORD" in given["DATABASE_URL"], name
        assert "@db:5432/" in given["DATABASE_URL"], name
        assert given["REDIS_URL"] == "redis://redis:6379/0", name
        assert service["read_only"] is True, name
        mounted = dict(volume.split(":")[:2] for volume in service["volumes"])
        assert mounted == volumes, name
        assert given["VAR_DIR"] == volumes["data"], name
        assert given["STATIC_ROOT"] == volumes["static"], name
    assert not variables("compose.env").keys() & compose["services"]["web"]["environment"].keys()
    assert not variables("compose.env").keys() & {"LOG_DIR", "BACKUP_DIR"}
    # The proxy sees the static files and nothing else of Atalaya.
    assert not [v for v in compose["services"]["proxy"]["volumes"] if v.startswith("data:")]
    assert {"web", "stream"} == {n for n in apps if "healthcheck" in compose["services"][n]}


def test_folders_are_the_same_in_every_file():
    env = variables("atalaya.env")
    assert f"alias {env['STATIC_ROOT']}/;" in directives("nginx.conf")
    assert not env["STATIC_ROOT"].startswith(env["VAR_DIR"])
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name in ("VAR_DIR", "LOG_DIR", "BACKUP_DIR", "STATIC_ROOT"):
        assert re.search(rf"^install -d .*{env[name]}", manual, re.MULTILINE), name


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_keeps_its_folders_from_other_accounts(unit):
    text = unit.read_text()
    # systemd opens them to everybody (755) at each start unless told otherwise.
    assert "StateDirectoryMode=0750" in text
    assert "LogsDirectoryMode=0750" in text
    assert "Restart=always" in text


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_watched_and_runs_a_supervisor_of_ours(unit):
    text = unit.read_text()
    for line in ("Type=notify", "NotifyAccess=main", "WatchdogSec=60", "KillMode=mixed"):
        assert line in text.splitlines(), line
    program = re.search(r"^ExecStart=\S+/python -m (config\.\w+)(.*)$", text, re.MULTILINE)
    is_worker = "worker" in unit.stem
    assert program[1] == ("config.work" if is_worker else "config.serve")
    assert ("Environment=Q_CLUSTER_NAME=long" in text) is (unit.stem == "atalaya-worker-long")
    if is_worker:
        # Whoever stops a worker lets the task in hand end.
        stop = int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[1])
        assert stop > settings.Q_CLUSTER["timeout"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_units(tmp_path):
    for unit in UNITS:
        text = unit.read_text().replace("/opt/atalaya/.venv/bin/python", sys.executable)
        text = re.sub(r"/opt/atalaya/.venv/bin/(\S+)", rf"{Path(sys.executable).parent}/\1", text)
        (tmp_path / unit.name).write_text(text)
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*.service"))],
        capture_output=True,
        text=True,
        check=False,
    )
    of_ours = [line for line in ran.stderr.splitlines() if "atalaya-" in line]
    assert of_ours == []


def test_the_shell_files_parse():
    ran = subprocess.run(["sh", "-n", DEPLOY / "atalaya"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (DEPLOY / "atalaya").stat().st_mode & 0o111


def test_the_blocks_of_the_manual_parse():
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh[a-z ]*\n(.*?)^```$", manual, re.MULTILINE | re.DOTALL)
    assert len(found) > 8
    for block in found:
        ran = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True)
        assert ran.returncode == 0, block + ran.stderr
