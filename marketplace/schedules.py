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
        name="marketplace.deliver_due_webhooks",
        task="marketplace.tasks.deliver_due_webhooks",
        minutes=1,
        batches=("marketplace.tasks.deliver_webhook",),
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
