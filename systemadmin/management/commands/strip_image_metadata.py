"""`manage.py strip_image_metadata`: clean pictures that came in before uploads were cleaned."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from systemadmin.services.stored_pictures import clean_stored_pictures


class Command(BaseCommand):
    """Safe to run again, and to interrupt."""

    help = "Take place, device and names out of every stored picture."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what could not be cleaned, and the numbers."""
        counts: Counter[str] = Counter()
        for outcome in clean_stored_pictures():
            counts[outcome.what] += 1
            if outcome.what in ("missing", "unreadable"):
                self.stderr.write(f"{outcome.table} {outcome.key}: {outcome.what}")
        found = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        self.stdout.write(found or "There are no stored pictures.")
