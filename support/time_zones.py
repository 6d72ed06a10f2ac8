"""Whose day it is: the place's time zone, or the one that a member of staff has chosen."""

from zoneinfo import ZoneInfo

from support.models import AgentState
from systemadmin.foundation.configuration import setting
from systemadmin.models import User


def zone_of(reader: User) -> ZoneInfo:
    """Return the zone in which this member of staff reads days."""
    own = AgentState.objects.filter(user=reader).values_list("time_zone", flat=True).first()
    return ZoneInfo(own or setting("support.time_zone"))
