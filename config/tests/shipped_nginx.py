"""The shipped nginx file, run as it is but for ports and folders."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from systemadmin.tests.ports import free_port

SHIPPED = Path(settings.BASE_DIR) / "docs" / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    include {types};
    default_type application/octet-stream;
    access_log off;
    {temporary}
    include {folder}/atalaya.conf;
}}
"""


class ShippedNginx:
    """One nginx with the shipped file in front of the given ports."""

    def __init__(self, folder, *, web, stream, static):
        self.folder = Path(folder)
        self.plain, self.tls = free_port(), free_port()
        self._certificate()
        (self.folder / "atalaya.conf").write_text(self._rewritten(web, stream, static))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        types = self.folder / "mime.types"
        types.write_text("types { text/css css; application/javascript js; image/svg+xml svg; }")
        main = MAIN.format(folder=self.folder, types=types, temporary=paths)
        (self.folder / "nginx.conf").write_text(main)
        self.command = [NGINX, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def _certificate(self):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=atalaya.example", "-keyout", str(self.folder / "privkey.pem")),
                *("-out", str(self.folder / "fullchain.pem")),
            ],
            check=True,
            capture_output=True,
        )

    def _rewritten(self, web, stream, static):
        text = SHIPPED.read_text()
        for old, new in (
            ("127.0.0.1:8000", f"127.0.0.1:{web}"),
            ("127.0.0.1:8001", f"127.0.0.1:{stream}"),
            ("listen 80;", f"listen 127.0.0.1:{self.plain};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.tls} ssl"),
            ("/etc/atalaya/tls", str(self.folder)),
            ("/srv/atalaya/static/", f"{static}/"),
            ("/var/log/nginx", str(self.folder)),
        ):
            assert old in text, f"{old} is not in the shipped file any more"
            text = text.replace(old, new)
        # A machine without IPv6 must pass too.
        return re.sub(r"^ +listen \[::\].*\n", "", text, flags=re.MULTILINE)

    def check(self):
        """What `nginx -t` says: exit code and text."""
        ran = subprocess.run([*self.command, "-t"], capture_output=True, text=True, check=False)
        return ran.returncode, ran.stderr

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.tls), 1):
                return self
            time.sleep(0.05)
        raise AssertionError((self.folder / "error.log").read_text())

    def stop(self):
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(30)
