"""The client that a program uses: signs in, edits safely, listens, and closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .base import UNSET, Model, Unset
from .generated.models.auth import LoginAnswer
from .generated.root import Operations
from .problems import StaleVersion
from .stream import StreamEvent
from .stream import listen as listen_to
from .transport import Transport

ModelT = TypeVar("ModelT", bound=Model)


class Client(Operations):
    """Atalaya at `base_url`. Options: token, timeout, retry, language, http (an httpx client)."""

    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(Transport(base_url, **options))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The token stays valid; `logout` ends it."""
        self._transport.http.close()

    @property
    def token(self) -> str | None:
        """The bearer token in use; keep it to sign in again without a password."""
        return self._transport.token

    def login(self, username: str, password: str, *, otp_code: str | Unset = UNSET) -> LoginAnswer:
        """Sign in and use the token from now on."""
        answer = self.auth.login(username=username, password=password, otp_code=otp_code)
        self._transport.token = answer.token
        return answer

    def logout(self) -> None:
        """End the token."""
        self.auth.logout()
        self._transport.token = None

    def edit(
        self, read: Callable[[], ModelT], change: Callable[[ModelT], ModelT], *, attempts: int = 3
    ) -> ModelT:
        """Read, change with `if_match`, and start again when someone else was quicker.

        client.edit(lambda: rules.get(3), lambda rule: rules.update(3, value=…, if_match=rule))
        """
        while True:
            attempts -= 1
            try:
                return change(read())
            except StaleVersion:
                if attempts <= 0:
                    raise

    def listen(self, *, last_event_id: str | None = None) -> Iterator[StreamEvent]:
        """Yield what happens in my messages, for ever; resumes by itself."""
        return listen_to(self._transport, last_event_id=last_event_id, sleep=self._transport.sleep)
