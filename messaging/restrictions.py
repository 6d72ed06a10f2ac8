"""What of this app holds people back, for restores."""

from systemadmin.foundation.restrictions import Restriction

RESTRICTIONS = [
    Restriction(
        "messaging_block",
        identity=("blocker_id", "blocked_id"),
        accounts=("blocker_id", "blocked_id"),
    ),
]
