"""The steps of a calculation as people and programs read them."""

from marketplace.commission.rules import PPM, Rule, TraceStep
from systemadmin.foundation.money import half_up_div


def percent(ppm: int) -> str:
    """Write parts per million as a percentage without losing a digit: 33300 -> "3.33 %"."""
    whole, rest = divmod(ppm, 10_000)
    digits = f"{rest:04d}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def decimal_text(millionths: int) -> str:
    """Write millionths of a minor unit exactly: 218750000 -> "218.75"."""
    whole, rest = divmod(millionths, PPM)
    digits = f"{rest:06d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def considered(rule: Rule, reason: str | None) -> TraceStep:
    """Return the step that says whether a rule matched, and if not, why."""
    verdict = "matches" if reason is None else f"does not match ({reason})"
    return {
        "step": "rule",
        "rule": rule.id,
        "version": rule.version,
        "name": rule.name,
        "matched": reason is None,
        "reason": reason,
        "detail": f"Rule {rule.id} “{rule.name}” {verdict}.",
    }


def rate_part(step: str, ppm: int, base: int, exact: int) -> TraceStep:
    """Return the step of one rate on one part of the base."""
    return {
        "step": step,
        "ppm": ppm,
        "base": base,
        "exact": decimal_text(exact),
        "rounded": half_up_div(exact, PPM),
        "detail": f"{percent(ppm)} of {base} is {decimal_text(exact)}.",
    }


def step(name: str, value: int, detail: str) -> TraceStep:
    """Return a plain step with its value."""
    return {"step": name, "value": value, "detail": detail}
