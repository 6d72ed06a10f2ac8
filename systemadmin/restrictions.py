"""What of this app holds people back, for restores."""

from systemadmin.foundation.restrictions import Restriction

_AUTHOR = (("created_by_id", "systemadmin_user"),)

RESTRICTIONS = [
    Restriction(
        "systemadmin_legalhold",
        identity=("account_id", "created_at"),
        in_force="released_at IS NULL",
        accounts=("account_id",),
        references=_AUTHOR,
    ),
    Restriction(
        "systemadmin_blockednetwork",
        identity=("network",),
        in_force="lifted_at IS NULL",
        references=_AUTHOR,
    ),
]
