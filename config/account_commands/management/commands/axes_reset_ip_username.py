"""Let a name sign in again from an address that failed too often."""

from argparse import ArgumentParser

from config.account_commands.management.commands import axes_reset


class Command(axes_reset.Command):
    """`manage.py axes_reset_ip_username IP USERNAME [--reason TEXT]`."""

    help = "Forget the failed sign-ins of a name from an address. Audited."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ip", nargs=1)
        parser.add_argument("username", nargs=1)
        self.add_reason(parser)
