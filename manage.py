#!/usr/bin/env python
"""Django's command line for Atalaya."""

import gc
import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run one management command."""
    # Loading makes many objects that stay. Looking through them again and again takes its time.
    gc.set_threshold(50_000, 20, 20)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
