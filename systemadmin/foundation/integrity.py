"""Checks that the data as a whole is sound, offered by every app's `integrity.CHECKS`.

They run over a database restored for verification, before a restore is swapped in, and by
`manage.py check_integrity`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from systemadmin.foundation import sockets


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityCheck:
    """`run()` gives back what is wrong, one sentence each; an empty list means sound."""

    name: str
    run: Callable[[], list[str]]


def find_problems() -> list[str]:
    """Run the checks of all apps; one that fails to run is a problem itself."""
    problems = []
    for check in sockets.collect("integrity", "CHECKS"):
        try:
            found = check.run()
        except Exception as error:
            found = [f"the check could not run: {type(error).__name__}"]
        problems += [f"{check.name}: {sentence}" for sentence in found]
    return problems
