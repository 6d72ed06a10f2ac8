"""What one call may cost: processor time of this thread and growth of the process."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from systemadmin.foundation.testing import processor_seconds, rolled_back

SECONDS = 1.0
MEGABYTES = 100
STATUS = Path("/proc/self/status")


def _kilobytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", STATUS.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


@dataclass
class Growth:
    """How much a block grew the process at its highest, in MB; 0 where Linux does not say."""

    megabytes: float = 0.0


@contextmanager
def memory_growth() -> Iterator[Growth]:
    """Measure the highest growth of resident memory within the block."""
    growth = Growth()
    if not STATUS.exists():
        yield growth
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    before = _kilobytes("VmRSS")
    yield growth
    growth.megabytes = (_kilobytes("VmHWM") - before) / 1024


@dataclass
class Watch:
    """Collects what was dear or failed, so that one run names all of it."""

    faults: list[str] = field(default_factory=list)
    calls: int = 0

    def call(self, name: str, send: Callable[[], Any]) -> Any:
        """Send one request, undo what it did, and note it if it cost too much."""
        answers: list[Any] = []

        def run() -> None:
            with rolled_back():
                answers.append(_whole(send()))

        self.calls += 1
        try:
            self._measure(name, run)
        except Exception as error:
            self.faults.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
            return None
        answer = answers[0]
        if answer.status_code >= 500 and not _is_said(answer):
            self.faults.append(f"{name}: {answer.status_code}")
        return answer

    def measure(self, name: str, run: Callable[[], Any]) -> None:
        """Run what is no request and note it if it cost too much."""
        self.calls += 1
        self._measure(name, run)

    def _measure(self, name: str, run: Callable[[], Any]) -> None:
        with memory_growth() as growth:
            seconds = processor_seconds(run)
        if seconds > SECONDS:
            self.faults.append(f"{name}: {seconds:.1f} s")
        if growth.megabytes > MEGABYTES:
            self.faults.append(f"{name}: {growth.megabytes:.0f} MB")


def _is_said(answer: Any) -> bool:
    """503 is how an endpoint says that a part is down; anything else is a fault."""
    return answer.status_code == 503


def _whole(answer: Any) -> Any:
    """Read an answer to its end, as the caller would; an event stream has none."""
    if getattr(answer, "streaming", False) and "event-stream" not in answer["Content-Type"]:
        for _chunk in answer.streaming_content:
            pass
    return answer
