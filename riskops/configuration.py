"""Settings of the risk desk that staff change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.sockets import Setting

SETTINGS = [
    Setting(
        key="riskops.clock_skew_seconds",
        type=int,
        default=300,
        min=0,
        max=86_400,
        description=_("How far in the future an event may lie before it is refused."),
    ),
    Setting(
        key="ratelimit.riskops.ingest",
        type="rate",
        default="600/m",
        description=_("Batches of account events a service may send."),
    ),
]
