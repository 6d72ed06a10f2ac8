"""Choices of the risk API that no model declares, for the schema."""

from riskops.models import EventKind

ENUMS = [("EventKindEnum", [(kind.code, kind.code) for kind in EventKind])]
