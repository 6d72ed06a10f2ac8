"""Mail by SMTP under one deadline for the whole: connect, TLS, sign-in and the mail itself."""

import smtplib
import socket
import ssl
from functools import cached_property, partial
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

from systemadmin.foundation.deadlines import Budget

# Below the lease of an outbox row, so that no second worker sends while the first still does.
SECONDS = 45


class EmailBackend(DjangoBackend):
    """Django's backend; a server that answers a byte at a time is left at the deadline."""

    @cached_property
    def budget(self) -> Budget:
        """The budget of one session; a backend object sends one batch and is thrown away."""
        return Budget(SECONDS)

    @property
    def connection_class(self) -> Any:
        """What Django calls to connect."""
        return partial(_SmtpOverTls if self.use_ssl else _Smtp, self.budget)

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """Verifies the server, with the client certificate of the settings when there is one."""
        context = self.budget.tls_context()
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context

    def open(self) -> bool | None:
        """Connect; the budget counts from here."""
        if self.connection is None:
            self.budget.renew()
        return super().open()


class _Smtp(smtplib.SMTP):
    def __init__(self, budget: Budget, *args: Any, **kwargs: Any) -> None:
        self.budget = budget
        super().__init__(*args, **kwargs)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self.budget.connect((host, port))


class _SmtpOverTls(smtplib.SMTP_SSL):
    def __init__(self, budget: Budget, *args: Any, **kwargs: Any) -> None:
        self.budget = budget
        super().__init__(*args, **kwargs)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self.budget.connect((host, port))
        return self.context.wrap_socket(plain, server_hostname=self._host)
