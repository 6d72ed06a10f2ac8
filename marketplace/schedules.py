"""What the marketplace does by the clock."""

from systemadmin.foundation.plugins import Schedule

SCHEDULES = [
    Schedule(
        name="marketplace.expire_reservations",
        task="marketplace.tasks.expire_reservations",
        minutes=1,
        batches=("marketplace.expire_reservations",),
    ),
    Schedule(
        name="marketplace.process_payment_events",
        task="marketplace.tasks.process_payment_events",
        minutes=1,
        batches=("marketplace.payment_events",),
    ),
    Schedule(
        name="marketplace.complete_due_orders",
        task="marketplace.tasks.complete_due_orders",
        cron="15 * * * *",
        batches=("marketplace.complete_due_orders",),
    ),
    Schedule(
        name="marketplace.run_payouts",
        task="marketplace.tasks.run_payouts",
        cron="30 5 * * *",
        batches=("marketplace.run_payouts",),
    ),
]
