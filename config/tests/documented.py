"""Runs the commands of the documentation: blocks whose fence says `runnable`.

    ```sh runnable
    curl --fail http://localhost:8000/api/health
    ```

The blocks of a page run in order, in one shell, in the project's folder; `localhost:8000` is the
test's own server. A `python runnable` block is a program of its own that may import the generated
`atalaya_client`, a `typescript runnable` block one that stands beside the generated `api.d.ts`; a
`console runnable` block runs its lines that begin with `$ `.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
LANGUAGES_RUN = ("sh", "console", "python", "typescript")
BLOCK = re.compile(
    rf"^```({'|'.join(LANGUAGES_RUN)}) runnable\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
LANGUAGES = re.compile(r"^```(.*)$", re.MULTILINE)


def pages():
    """Every page of the documentation."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(text):
    """The runnable blocks as pieces of shell."""
    return [_shell(language, body) for language, body in BLOCK.findall(text)]


def _shell(language, body):
    if language == "python":
        return f"python - <<'END_OF_PROGRAM'\n{body}END_OF_PROGRAM\n"
    if language == "typescript":
        return (
            f"cd $TYPESCRIPT_CLIENT; cat > program.ts <<'END_OF_PROGRAM'\n{body}END_OF_PROGRAM\n"
            "npx tsc --project .\nnode program.js\ncd $OLDPWD\n"
        )
    if language == "console":
        return "".join(f"{line[2:]}\n" for line in body.splitlines() if line.startswith("$ "))
    return body


def run(page, *, address, env, cwd=ROOT, libraries=()):
    """Run a page's blocks; return the finished process."""
    script = "set -euo pipefail\n" + "\n".join(blocks(page.read_text(encoding="utf-8")))
    tools = Path(sys.executable).parent
    return subprocess.run(
        ["bash", "-c", script.replace("localhost:8000", address)],
        cwd=cwd,
        env={
            **env,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(str(folder) for folder in (ROOT, *libraries)),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=300,
    )
