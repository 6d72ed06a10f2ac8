"""What of this app holds people back, for restores."""

from systemadmin.foundation.restrictions import Restriction

RESTRICTIONS = [
    Restriction(
        "support_blockedsender",
        identity=("address",),
        references=(("created_by_id", "systemadmin_user"), ("ticket_id", "support_ticket")),
    ),
]
