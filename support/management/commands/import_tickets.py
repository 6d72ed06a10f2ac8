"""`manage.py import_tickets FILE`: tickets of another desk, each of them once."""

import json
import re
from argparse import ArgumentParser
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from support.services.ticket_imports import ImportOptions, TicketImport
from support.ticket_files import TicketReader, is_json
from support.ticket_layouts import LAYOUTS, BadMapping, Layout, with_mapping
from systemadmin.foundation.import_command import ImportCommand
from systemadmin.services.file_imports import ImportPlan, import_file

_MOST_MAPPING_BYTES: Final = 1 << 20


class Command(ImportCommand):
    """`import_tickets tickets.jsonl --layout zendesk --files attachments/`."""

    help = (
        "Take in the tickets of another desk: conversation, notes, files, people and times. Nobody "
        "is notified. May be killed and started again; what is there already is left alone."
    )
    fields = ("external_id", "subject", "status", "priority", "category", "tags", "created_at")

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(batch=200)
        parser.add_argument("--layout", choices=sorted(LAYOUTS), default="atalaya")
        parser.add_argument("--mapping", type=Path, help="JSON that changes the layout")
        parser.add_argument("--source", default="", help="name of the other desk; the layout's")
        parser.add_argument("--files", type=Path, help="folder with the files of the messages")
        parser.add_argument(
            "--fetch-files", action="store_true", help="read files from their addresses"
        )
        parser.add_argument(
            "--create-people", action="store_true", help="make members of unknown external ids"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="judge every row and keep nothing"
        )

    def run(self, path: Path, columns: dict[str, str], options: dict[str, Any], bar: Any) -> Any:
        """Take in the file in batches of one transaction each."""
        if options["files"] is not None and not options["files"].is_dir():
            raise CommandError(f"There is no folder {options['files']}.", returncode=2)
        source = options["source"] or options["layout"]
        if not re.fullmatch(r"[a-z0-9-]{1,30}", source):
            raise CommandError("--source: small letters, digits, hyphens.", returncode=2)
        layout = self._layout(path, columns, options)
        wanted = ImportOptions(
            source=source,
            layout=layout,
            files=options["files"],
            fetches_files=options["fetch_files"],
            makes_people=options["create_people"],
            is_dry_run=options["dry_run"],
        )
        plan = ImportPlan(
            kind=f"tickets:{source}{':dry' if options['dry_run'] else ''}",
            apply=TicketImport(wanted).apply,
            batch=options["batch"],
            reader=partial(TicketReader, layout=layout),
        )
        return import_file(
            path,
            plan,
            refused_path=options["refused"],
            restart=options["restart"] or options["dry_run"],
            progress=bar.update,
        )

    def _layout(self, path: Path, columns: dict[str, str], options: dict[str, Any]) -> Layout:
        layout = LAYOUTS[options["layout"]]
        if not is_json(path):
            # Columns have our names, or are renamed; the words in them are the other desk's.
            ours = LAYOUTS["atalaya"]
            layout = replace(ours, status=layout.status, priority=layout.priority)
        if options["mapping"] is not None:
            layout = self._mapped(layout, options["mapping"])
        renamed = {column: name for name, column in columns.items()}
        return replace(layout, columns={**layout.columns, **renamed})

    def _mapped(self, layout: Layout, path: Path) -> Layout:
        try:
            if path.stat().st_size > _MOST_MAPPING_BYTES:
                raise BadMapping("too large")
            return with_mapping(layout, json.loads(path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError, RecursionError) as fault:
            raise CommandError(f"--mapping {path}: {fault}", returncode=2) from fault
