"""What must hold of the base app's data as a whole."""

from django.db import connection, utils
from django.db.migrations.executor import MigrationExecutor

from systemadmin.foundation.integrity import IntegrityCheck
from systemadmin.models import User
from systemadmin.services.audit_verification import verify_since_checkpoint


def check_foreign_keys() -> list[str]:
    """Every reference leads somewhere (PostgreSQL sees to it while rows are written)."""
    try:
        connection.check_constraints()
    except utils.IntegrityError as error:
        return [str(error)]
    return []


def check_migrations() -> list[str]:
    """Check that the tables are those of this code."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration} is not applied" for migration, _backwards in plan]


def check_suspensions() -> list[str]:
    """Find a reason or an end without a suspension, which would be read as one."""
    odd = User.objects.filter(suspended_at__isnull=True, suspended_until__isnull=False)
    return [
        f"account {pk} has an end of a suspension but no suspension"
        for pk in odd.values_list("pk", flat=True)
    ]


def check_audit_trail() -> list[str]:
    """Nothing was changed, removed or slipped in since the last signed checkpoint.

    A restore runs it while nobody can work, so it does not read the whole trail: that is
    verified right after, and every night.
    """
    report = verify_since_checkpoint()
    if report.holds:
        return []
    return [f"{report.fault_count} faults, the first: {report.first_fault}"]


CHECKS = [
    # One changed row of the trail must not be a way to make every backup useless.
    IntegrityCheck(name="audit trail", run=check_audit_trail, repairable=True),
    IntegrityCheck(name="foreign keys", run=check_foreign_keys),
    IntegrityCheck(name="migrations", run=check_migrations),
    IntegrityCheck(name="suspensions", run=check_suspensions),
]
