"""`manage.py generate_client`: write the generated half of the Python client."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config.client_generator.package import generate, write


class Command(BaseCommand):
    """Needs ruff (requirements-dev.txt), which gives the files their form."""

    help = "Write config/client/generated/ from the OpenAPI schema."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--into", default="", help="another folder than the client's own")

    def handle(self, *args: Any, **options: Any) -> None:
        own = Path(settings.BASE_DIR) / "config" / "client" / "generated"
        target = Path(options["into"]) if options["into"] else own
        files = generate()
        write(target, files)
        self.stdout.write(f"{len(files)} files in {target}")
