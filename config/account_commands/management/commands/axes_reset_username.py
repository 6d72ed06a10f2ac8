"""Let names sign in again that failed too often."""

from argparse import ArgumentParser

from config.account_commands.management.commands import axes_reset


class Command(axes_reset.Command):
    """`manage.py axes_reset_username USERNAME … [--reason TEXT]`."""

    help = "Forget the failed sign-ins of names. Audited."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="+")
        self.add_reason(parser)
