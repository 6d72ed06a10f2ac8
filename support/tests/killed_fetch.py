"""Run `fetch_mail` in a process of its own that dies before its nth statement or command."""

import imaplib
import os
import signal
import sys

import django


def die_at(count):
    """A function that kills this process, as nothing can be caught, on its nth call."""
    calls = iter(range(1, 10**9))

    def step():
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


def main():
    kind, count = sys.argv[1], int(sys.argv[2])
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    step = die_at(count)
    if kind == "sql":

        def wrapper(execute, sql, params, many, context):
            step()
            return execute(sql, params, many, context)

        connection.execute_wrappers.append(wrapper)
    else:
        send = imaplib.IMAP4.send

        def send_or_die(self, data):
            step()
            return send(self, data)

        imaplib.IMAP4.send = send_or_die
    call_command("fetch_mail", verbosity=0)


if __name__ == "__main__":
    main()
