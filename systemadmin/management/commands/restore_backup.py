"""`manage.py restore_backup`: replace the live database by a backup, safely."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from systemadmin.backups.errors import BackupError
from systemadmin.backups.restore.without_database import restore_without_database
from systemadmin.backups.vault import open_vault
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.models import ApprovalRequest, Backup
from systemadmin.services.approval_texts import waiting_text
from systemadmin.services.backups import import_backups, restore_backup
from systemadmin.services.emergencies import report_emergency, run_or_ask
from systemadmin.services.installation import current_installation


class Command(BaseCommand):
    """The same path as the API's, and one more for a database that is gone."""

    help = "Restore the live database from a backup (the newest complete one by default)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "backup", nargs="?", help="Name or id; without it the newest one that no restore made."
        )
        parser.add_argument(
            "--confirm", metavar="DATABASE", help="The database's name, typed, instead of asking."
        )
        parser.add_argument(
            "--confirm-installation",
            metavar="IDENTITY",
            default="",
            help="The maker's identity, typed, when another installation made the backup.",
        )
        parser.add_argument(
            "--rescue",
            action="store_true",
            help="The database is gone or unreadable: no safety backup, no records kept.",
        )
        parser.add_argument(
            "--emergency",
            action="store_true",
            help="Restore now, without a second person: this is audited and alerted.",
        )
        parser.add_argument(
            "--reason", default="", help="Why; who approves reads it, and it is audited."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, and say how it went."""
        database = open_vault().engine.database
        confirm = options["confirm"] or input(f"Type {database} to replace that database: ")
        try:
            if options["rescue"]:
                installation, reason = options["confirm_installation"], options["reason"]
                self.rescue(options["backup"], confirm, installation, reason)
            else:
                self.restore(options["backup"], confirm, options)
        except InvalidInput as error:
            raise CommandError("; ".join(str(one["detail"]) for one in error.errors)) from error
        except (BackupError, DomainError) as error:
            raise CommandError(str(error)) from error

    def restore(self, wanted: str | None, confirm: str, options: dict[str, Any]) -> None:
        """Restore the usual way: a second person approves it, or it is an emergency."""
        try:
            backup = find(wanted)
        except DatabaseError as error:
            raise CommandError(
                "The database cannot be read. If it is gone, run this with --rescue."
            ) from error
        wish = {
            "backup": backup,
            "confirm": confirm,
            "confirm_installation": options["confirm_installation"],
        }
        done = run_or_ask(
            act="systemadmin.request_restore",
            arguments={**wish, "passed_second_factor": True},
            run=lambda: restore_backup(**wish),
            is_emergency=options["emergency"],
            reason=options["reason"],
        )
        if isinstance(done, ApprovalRequest):
            self.stdout.write(waiting_text(done))
            return
        self.stdout.write(
            f"Restored {backup.name} ({done.method}); closed for {done.closed_seconds:.1f} s; "
            f"safety backup {done.safety_backup}."
        )
        for warning in done.warnings:
            self.stdout.write(f"Warning: {warning}")

    def rescue(
        self, wanted: str | None, confirm: str, confirm_installation: str, reason: str
    ) -> None:
        """Restore without a database; the storage itself is the list of backups."""
        name, warnings = restore_without_database(wanted, confirm, confirm_installation)
        report_emergency(act="systemadmin.request_restore", reason=reason or "--rescue")
        self.stdout.write(f"Restored {name}.")
        for warning in warnings:
            self.stdout.write(f"Warning: {warning}")


def find(wanted: str | None) -> Backup:
    """Return the backup of that name or id, or our newest complete one, known by a row or not."""
    for _attempt in range(2):
        if wanted is None:
            own = Backup.objects.of_installation(current_installation())
            found = own.exclude(trigger=Backup.Trigger.SAFETY).last_complete(timezone.now())
        elif is_whole_number(wanted):
            found = Backup.objects.filter(pk=wanted).first()
        else:
            found = Backup.objects.filter(name=wanted).first()
        if found is not None:
            return found
        import_backups()
    raise CommandError("There is no such backup.")
