"""The review list on the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.models import ApprovalRequest, User
from systemadmin.services import approvals


class Command(BaseCommand):
    """`manage.py approvals list | approve ID --by NAME | refuse ID --by NAME --reason TEXT`."""

    help = "List, approve or refuse what waits for a second person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="show what waits")
        for name, help_text in (("approve", "do it now"), ("refuse", "let it be")):
            one = acts.add_parser(name, help=help_text)
            one.add_argument("request", type=int, help="number of the request")
            one.add_argument("--by", required=True, help="name of the colleague who decides")
            one.add_argument("--reason", default="", help="why; required to refuse")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        if act == "list":
            self._list()
            return
        row = ApprovalRequest.objects.filter(pk=options["request"]).first()
        actor = User.objects.filter(username=options["by"]).first()
        if row is None or actor is None:
            raise CommandError("There is no such request or no such account.")
        service = approvals.approve if act == "approve" else approvals.refuse
        try:
            with context(source="command", user_id=actor.pk):
                decided = service(actor=actor, request=row, reason=options["reason"])
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Request {decided.pk}: {decided.state}.")
        if decided.state == ApprovalRequest.State.FAILED:
            raise CommandError(decided.result["error"])

    def _list(self) -> None:
        rows = ApprovalRequest.objects.waiting().order_by("expires_at", "pk")
        for row in rows.iterator(chunk_size=500):
            amount = "" if row.amount is None else f" {row.amount} {row.currency}"
            self.stdout.write(
                f"{row.pk:>6}  {row.act}  {row.subject_name}{amount}  "
                f"asked by {row.asked_by_name} until {row.expires_at:%Y-%m-%d %H:%M} UTC: "
                f"{row.reason}"
            )
