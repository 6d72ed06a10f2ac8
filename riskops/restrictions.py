"""What of this app holds people back or lets them through, for restores."""

from systemadmin.foundation.restrictions import DELETE, Restriction

_USERS = "systemadmin_user"
_AUTHOR = (("created_by_id", _USERS),)

RESTRICTIONS = [
    Restriction(
        "riskops_listentry",
        identity=("list", "kind", "value"),
        in_force="list <> 'allow'",
        accounts=("account_id",),
        references=_AUTHOR,
    ),
    Restriction(
        "riskops_listentry",
        identity=("list", "kind", "value"),
        in_force="list = 'allow'",
        is_carried=False,
        end=DELETE,
    ),
    # The newest outcome counts: payouts to a confirmed fraud are held.
    Restriction(
        "riskops_riskoutcome",
        identity=("account_id", "created_at"),
        accounts=("account_id",),
        references=(("actor_id", _USERS),),
    ),
    # Ended first: one override per account is in force at most.
    Restriction(
        "riskops_riskoverride",
        identity=("account_id", "created_at"),
        in_force="ended_at IS NULL",
        accounts=("account_id",),
        references=(*_AUTHOR, ("ended_by_id", _USERS)),
        end="ended_at = {now}",
    ),
    Restriction(
        "riskops_anomalyexemption",
        identity=("rule_id", "account_id", "expires_at"),
        is_carried=False,
        end=DELETE,
    ),
]
