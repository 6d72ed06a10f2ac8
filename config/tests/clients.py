"""Clients generated from today's schema, for the tests that call the API as other programs do.

A client is made once per schema and kept in pytest's cache folder: the next run with the same
schema, generator and configuration starts at once.
"""

import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings

from config.tests.schema_watch import document

SOURCES = Path(settings.BASE_DIR) / "config" / "clients"


def folder_for(cache, name, make):
    """Return the folder that `make(folder)` filled for the schema and `config/clients/`."""
    schema = json.dumps(document())
    inputs = [schema, *(path.read_text() for path in sorted(SOURCES.iterdir()))]
    digest = hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:16]
    home = cache.mkdir("clients")
    kept = home / f"{name}-{digest}"
    if not kept.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}-new-", dir=home))
        (fresh / "openapi.json").write_text(schema)
        make(fresh)
        try:
            fresh.rename(kept)
        except OSError:  # a parallel worker was faster
            shutil.rmtree(fresh)
    return kept


def generate_python(folder):
    """What `make client` does for Python, on the schema in `folder`."""
    run(
        [
            Path(sys.executable).with_name("openapi-python-client"),
            *("generate", "--path", "openapi.json", "--config", SOURCES / "python.yml"),
            *("--output-path", "python", "--meta", "setup", "--fail-on-warning"),
        ],
        folder,
    )


def generate_typescript(folder):
    """What `make client` does for TypeScript, on the schema in `folder`."""
    for path in SOURCES.iterdir():
        shutil.copy(path, folder)
    run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], folder)
    run(["npm", "run", "generate"], folder)


def run(command, folder, **environment):
    """Run a command; its output is in the failure if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def python_client(pytestconfig):
    """The folder to have on the path for `import atalaya_client`."""
    return folder_for(pytestconfig.cache, "python", generate_python) / "python"


@pytest.fixture(scope="session")
def typescript_client(pytestconfig):
    """The folder with `api.d.ts`, the compiler and openapi-fetch."""
    return folder_for(pytestconfig.cache, "typescript", generate_typescript)


class Refused(Exception):
    """The API answered with a problem."""

    def __init__(self, problem):
        super().__init__(problem.detail)
        self.status, self.code = problem.status, problem.code


class Caller:
    """`caller.create_ticket(body=…)` calls the generated operation of that name."""

    def __init__(self, library, http):
        self.library, self.http = library, http

    def __getattr__(self, name):
        def call(*args, **kwargs):
            answer = self.library.operations[name].sync_detailed(*args, client=self.http, **kwargs)
            if isinstance(answer.parsed, self.library.models.Problem):
                raise Refused(answer.parsed)
            self.last_headers = answer.headers
            return answer.parsed

        return call

    def pages(self, name, **filters):
        """Yield every row of a list, page by page, by number or cursor as the list has it."""
        while True:
            page = getattr(self, name)(**filters)
            yield from page.results
            if not page.next_:
                return
            filters |= dict(self.library.httpx.URL(page.next_).params.items())
            for number in {"page", "page_size"} & filters.keys():
                filters[number] = int(filters[number])


@pytest.fixture(scope="session")
def library(python_client):
    """The generated package: `models`, `operations` by name, `Client`, `caller(url, token)`."""
    sys.path.insert(0, str(python_client))
    package = importlib.import_module("atalaya_client")
    api = importlib.import_module("atalaya_client.api")
    operations = {
        found.name.rpartition(".")[2]: importlib.import_module(found.name)
        for found in pkgutil.walk_packages(api.__path__, "atalaya_client.api.")
        if not found.ispkg
    }
    made = SimpleNamespace(
        models=importlib.import_module("atalaya_client.models"),
        types=importlib.import_module("atalaya_client.types"),
        httpx=importlib.import_module("httpx"),
        operations=operations,
        Client=package.Client,
    )

    def caller(url, token=None):
        headers = {"Accept-Language": "en"}
        if token is None:
            return Caller(made, package.Client(url, headers=headers))
        return Caller(made, package.AuthenticatedClient(url, token, headers=headers))

    made.caller = caller
    return made
