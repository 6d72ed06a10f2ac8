"""Checks that the data as a whole is sound, offered by every app's `integrity.CHECKS`.

They run over a database restored for verification, before a restore is swapped in, and by
`manage.py check_integrity`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from systemadmin.foundation import plugins


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityCheck:
    """`run()` gives back what is wrong, one sentence each; an empty list means sound.

    What can be counted again from other rows is `repairable`, and so is what a refusal would not
    make better: it is reported as a warning, and no reason to refuse a backup.
    """

    name: str
    run: Callable[[], list[str]]
    repairable: bool = False


def find_problems(*, repairable: bool | None = None) -> list[str]:
    """Run the checks of all apps, or of one sort; one that fails to run is a problem itself."""
    problems = []
    checks: list[IntegrityCheck] = plugins.collect("integrity", "CHECKS")
    for check in checks:
        if repairable is not None and check.repairable != repairable:
            continue
        try:
            found = check.run()
        except Exception as error:
            found = [f"the check could not run: {type(error).__name__}"]
        problems += [f"{check.name}: {sentence}" for sentence in found]
    return problems
