"""Rows that hold somebody back or let somebody through, and how a restore treats them.

A restore brings back the rows of the backup. What was blocked, held or forbidden since would be
free again, and what was allowed then and is no more would be allowed. Apps list such rows in
`restrictions.RESTRICTIONS`.
"""

from dataclasses import dataclass

DELETE = "DELETE"


@dataclass(frozen=True)
class Restriction:
    """Rows of a table, of which those in force just before a restore count after it.

    `identity` are the columns by which both databases know a row. `is_carried` adds rows that only
    the live database has. `end` says what becomes of rows that only the backup has: `DELETE`, or
    the assignment that ends them ({now} is the moment); without it they stay. `accounts` name the
    people a row is about: rows about somebody whom the backup does not know are left out. Other
    `references` become NULL where the backup lacks what they point to.
    """

    table: str
    identity: tuple[str, ...]
    in_force: str = "TRUE"
    accounts: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    is_carried: bool = True
    end: str = ""
