"""Real servers on this machine's loopback: SMTP by aiosmtpd, IMAP by Dovecot."""

import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from aiosmtpd.controller import Controller

from systemadmin.tests.ports import free_port

DOVECOT = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


class Inbox:
    """What an SMTP server was given; it can be told to refuse."""

    def __init__(self):
        self.mails = []
        self.answers = []

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            answer = self.answers.pop(0)
            if answer:
                return answer
        self.mails.append(envelope)
        return "250 taken"


class SmtpServer:
    """An SMTP server for one test."""

    def __enter__(self):
        self.inbox = Inbox()
        self.port = free_port()
        self.controller = Controller(self.inbox, hostname="127.0.0.1", port=self.port)
        self.controller.start()
        return self

    def __exit__(self, *error):
        self.controller.stop()


CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {root}/run
log_path = {root}/log
ssl = no
disable_plaintext_auth = no
mail_max_userip_connections = 100
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{root}/mail
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}
}}
namespace inbox {{
  inbox = yes
  mailbox Done {{
    auto = create
  }}
}}
"""


class ImapServer:
    """A Dovecot with one account, its mail in a temporary folder."""

    def __enter__(self):
        # Not below pytest's own folder, which other accounts may not enter.
        self.root = Path(tempfile.mkdtemp(prefix="dovecot-"))
        user = pwd.getpwuid(os.getuid())
        # Dovecot refuses to work as root; its own account exists wherever it is installed.
        name = "dovecot" if user.pw_uid == 0 else user.pw_name
        account = pwd.getpwnam(name)
        self.port = free_port()
        for path in (self.root, self.root / "run", self.root / "mail"):
            path.mkdir(parents=True, exist_ok=True)
            if user.pw_uid == 0:
                os.chown(path, account.pw_uid, account.pw_gid)
        group = subprocess.run(
            ["id", "-gn", name], check=True, capture_output=True, text=True
        ).stdout.strip()
        config = self.root / "dovecot.conf"
        config.write_text(CONFIG.format(root=self.root, port=self.port, user=name, group=group))
        self.process = subprocess.Popen([DOVECOT, "-F", "-c", str(config)])
        self._wait()
        return self

    def _wait(self):
        for _ in range(100):
            try:
                self.session().logout()
                return
            except OSError:
                time.sleep(0.1)
        log = self.root / "log"
        raise RuntimeError(log.read_text() if log.exists() else "dovecot did not start")

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.root, ignore_errors=True)

    def session(self):
        server = imaplib.IMAP4("127.0.0.1", self.port, timeout=10)
        server.login("desk", "secret")
        return server

    def put(self, *mails):
        server = self.session()
        for raw in mails:
            server.append("INBOX", None, None, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        server.logout()

    def flags(self, folder="INBOX"):
        server = self.session()
        status, count = server.select(folder, readonly=True)
        assert status == "OK", count
        data = server.fetch("1:*", "(FLAGS)")[1] if int(count[0]) else []
        server.logout()
        return [item for item in data if item]
