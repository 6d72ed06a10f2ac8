"""`manage.py dbrestore`: the name operators know, the same path as `restore_backup`."""

from systemadmin.management.commands.restore_backup import Command

__all__ = ["Command"]
