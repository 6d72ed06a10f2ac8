"""Whether a change of an anomaly rule that is on lets it find, count or do less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from riskops.anomalies.rules import BY_CODE

SEVERITIES: Final = ("low", "medium", "high", "critical")
ACTIONS: Final = ("none", "alert", "suspend")


def weaker_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what protects less after a change; none where the rule was off.

    Both are the values of a rule by name. Another detector, or a parameter of which nobody can say
    which value finds more, counts as weaker.
    """
    if not before["is_enabled"]:
        return []
    if not after["is_enabled"]:
        return ["is_enabled"]
    if before["detector"] != after["detector"]:
        return ["detector"]
    found = _weaker_parameters(before, after)
    if SEVERITIES.index(after["severity"]) < SEVERITIES.index(before["severity"]):
        found.append("severity")
    if after["points"] < before["points"]:
        found.append("points")
    if ACTIONS.index(after["action"]) < ACTIONS.index(before["action"]):
        found.append("action")
    return found


def _weaker_parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    detector = BY_CODE.get(before["detector"])
    if detector is None:
        return []
    old, new = detector.read(before["parameters"]), detector.read(after["parameters"])
    return [
        f"parameters.{one.name}"
        for one in detector.parameters
        if one.is_weaker(old[one.name], new[one.name])
    ]
