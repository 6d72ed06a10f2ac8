"""`manage.py import_members FILE`: make and update members from a CSV or JSON-lines file."""

from pathlib import Path
from typing import Any

from systemadmin.foundation.import_command import ImportCommand
from systemadmin.member_rows import FIELDS
from systemadmin.services.file_imports import ImportPlan, import_file
from systemadmin.services.members import upsert_members


class Command(ImportCommand):
    """`import_members users.csv --map external_id=id,email=mail,joined_at=created`."""

    help = (
        "Make and update members by the platform's own ids. May be killed and started again: it "
        "goes on where it stopped."
    )
    fields = ("external_id", *FIELDS)
    reads_named_columns = True

    def run(self, path: Path, columns: dict[str, str], options: dict[str, Any], bar: Any) -> Any:
        """Import the file in batches of one transaction each."""
        plan = ImportPlan(
            kind="members",
            apply=lambda rows: upsert_members(actor=None, rows=rows),
            columns=columns,
            batch=options["batch"],
        )
        return import_file(
            path,
            plan,
            refused_path=options["refused"],
            restart=options["restart"],
            progress=bar.update,
        )
