"""Make, list, rotate and revoke service keys from the command line."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable, parse_duration
from systemadmin.models import ServiceKey, User
from systemadmin.services import service_keys


class Command(BaseCommand):
    """`service_key create NAME --owner root --permission systemadmin.view_systemstatus`."""

    help = (
        "Make, list, rotate and revoke the keys of machines. The secret of a new key is written "
        "to standard output, once; everything else to standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key")
        create.add_argument("name")
        create.add_argument("--owner", required=True, help="user name of who answers for it")
        create.add_argument("--permission", action="append", default=[], metavar="APP.CODENAME")
        create.add_argument("--scope", action="append", default=[], metavar="AREA:read|write")
        create.add_argument("--network", action="append", default=[], metavar="CIDR")
        create.add_argument("--rate", default="", help="such as 1200/m")
        create.add_argument("--expires", metavar="DURATION", help="such as 90d")
        listing = actions.add_parser("list", help="list keys")
        listing.add_argument("--all", action="store_true", help="revoked and expired ones too")
        rotate = actions.add_parser("rotate", help="give a key a new secret")
        rotate.add_argument("name")
        rotate.add_argument("--overlap", default="24h", metavar="DURATION")
        revoke = actions.add_parser("revoke", help="end a key at once")
        revoke.add_argument("name")
        revoke.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (DomainError, Unreadable) as refusal:
            raise CommandError(str(refusal)) from refusal

    def _create(self, options: dict[str, Any]) -> None:
        ends = options["expires"]
        issued = service_keys.create_service_key(
            actor=None,
            owner=self._owner(options["owner"]),
            name=options["name"],
            permissions=options["permission"],
            member_scopes=options["scope"],
            networks=options["network"],
            rate=options["rate"],
            expires_at=timezone.now() + parse_duration(ends) if ends else None,
        )
        self._show(issued)

    def _owner(self, username: str) -> User:
        owner = User.objects.filter(username=username).first()
        if owner is None:
            raise CommandError(f"There is no account named {username!r}.")
        if owner.is_demo and not settings.DEMO_MODE:
            raise CommandError(f"{username} is a demo account: it counts with DEMO_MODE=1 alone.")
        return owner

    def _show(self, issued: service_keys.Issued) -> None:
        self.stderr.write(f"{issued.key.name}: keep this now, it is not shown again.")
        self.stdout.write(issued.secret)

    def _list(self, options: dict[str, Any]) -> None:
        keys = ServiceKey.objects.shown_with().order_by("name")
        for key in keys if options["all"] else keys.live():
            state = "live" if key.is_live else "revoked" if key.revoked_at else "expired"
            owner = key.owner.get_username() if key.owner else "-"
            used = key.last_used_at.isoformat(timespec="seconds") if key.last_used_at else "never"
            hints = " ".join(
                f"…{one.hint}" + ("" if one.is_live else " (ended)") for one in key.secrets.all()
            )
            self.stdout.write(f"{key.name}\t{state}\t{owner}\tlast used {used}\t{hints}")

    def _rotate(self, options: dict[str, Any]) -> None:
        overlap: timedelta = parse_duration(options["overlap"])
        key = self._named(options["name"])
        self._show(service_keys.rotate_service_key(actor=None, key=key, overlap=overlap))

    def _revoke(self, options: dict[str, Any]) -> None:
        key = self._named(options["name"])
        service_keys.revoke_service_key(actor=None, key=key, reason=options["reason"])
        self.stderr.write(f"{key.name}: revoked.")

    def _named(self, name: str) -> ServiceKey:
        key = ServiceKey.objects.filter(name=name, revoked_at__isnull=True).first()
        if key is None:
            raise CommandError(f"There is no service key {name!r} that is not revoked.")
        return key
