"""Every command that the documentation calls runnable is run, on a fresh demo."""

import os
import shutil
import socket
import subprocess
import sys
import time

import httpx
import pytest

from config.tests import documented
from systemadmin.tests.migrated import copy_migrated_sqlite

RUNNABLE = [page for page in documented.pages() if documented.BLOCK.search(page.read_text())]


def pages_to_run():
    """Pages with blocks that run; those with TypeScript need Node.js."""
    for page in RUNNABLE:
        needs_node = "```typescript runnable" in page.read_text()
        yield pytest.param(page, id=page.stem, marks=[pytest.mark.node] if needs_node else [])


@pytest.fixture(scope="module")
def demo(tmp_path_factory, django_db_setup):
    """`make run` without make, in folders of its own: its address and environment."""
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    folder = tmp_path_factory.mktemp("demo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    env |= {
        "DJANGO_DEBUG": "1",
        "DEMO_MODE": "1",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
        "EMAIL_URL": f"filemail://{folder}/mail",
    }
    manage = [sys.executable, "manage.py"]
    copy_migrated_sqlite(folder / "demo.sqlite3")
    for command in (["setup"], ["seed_demo", "--once"]):
        subprocess.run(
            [*manage, *command], cwd=documented.ROOT, env=env, check=True, capture_output=True
        )
    _allow_many_sign_ins(manage, env)
    server = subprocess.Popen(
        [*manage, "run_local", "--port", str(port)],
        cwd=documented.ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/health", server)
        yield f"127.0.0.1:{port}", env
    finally:
        server.terminate()
        server.wait(60)


def _allow_many_sign_ins(manage, env):
    """A reader follows one page; here all are followed within a minute."""
    change = "from systemadmin.models import SystemConfig; SystemConfig.objects.update_or_create("
    change += "key='ratelimit.login', defaults={'value': '1000/m'})"
    subprocess.run([*manage, "shell", "-c", change], cwd=documented.ROOT, env=env, check=True)


def _wait_for(address, server):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return httpx.get(address, timeout=2)
        except httpx.HTTPError:
            time.sleep(0.3)
    raise AssertionError("the demo did not start")


@pytest.mark.slow
@pytest.mark.own_sqlite
@pytest.mark.parametrize("page", pages_to_run())
def test_the_commands_of_the_page_run(page, demo, python_client, request):
    address, env = demo
    if "node" in request.keywords:
        env = env | {"TYPESCRIPT_CLIENT": str(request.getfixturevalue("typescript_client"))}
    ran = documented.run(page, address=address, env=env, libraries=[python_client])
    assert ran.returncode == 0, ran.stdout[-3000:]


def test_a_failing_command_fails_its_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh runnable\necho before\nfalse\n```\n\n```sh runnable\necho after\n```\n")
    ran = documented.run(page, address="x", env={})
    assert (ran.returncode, ran.stdout) == (1, "before\n")


def test_blocks_of_a_page_share_their_shell_and_console_runs_its_prompts(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh runnable\nname=lamp\n```\n```console runnable\n$ echo $name\nnot this\n```\n"
        "```python runnable\nprint('localhost:8000')\n```\n```sh\nfalse\n```\n"
    )
    ran = documented.run(page, address="here", env={})
    assert (ran.returncode, ran.stdout) == (0, "lamp\nhere\n")


def test_no_fence_is_marked_in_a_way_that_nothing_runs():
    odd = [
        f"{page.name}: {fence}"
        for page in documented.pages()
        for fence in documented.LANGUAGES.findall(page.read_text())
        if "run" in fence and fence not in {f"{one} runnable" for one in documented.LANGUAGES_RUN}
    ]
    assert odd == []


def test_the_pages_that_teach_have_commands_that_run():
    assert {"client", "clients", "operations", "developers"} <= {page.stem for page in RUNNABLE}
