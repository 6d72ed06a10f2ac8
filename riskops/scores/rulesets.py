"""Drafts, publishes and finds versions of the risk rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from riskops.errors import RulesetAlreadyPublished
from riskops.events import ruleset_published
from riskops.models import RiskRuleset
from riskops.scores.rules import InvalidRuleset, Ruleset
from riskops.scores.weakening import weaker_parts
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.queue import enqueue
from systemadmin.models import User
from systemadmin.services.second_person import needs_second_person


def current_ruleset() -> RiskRuleset:
    """Return the rules in force; the shipped ones become number 1 the first time someone asks."""
    found = RiskRuleset.objects.latest_published()
    if found is None:
        try:
            with transaction.atomic():
                found = RiskRuleset.objects.create(
                    number=1,
                    note="Shipped defaults",
                    definition=Ruleset().to_dict(),
                    published_at=timezone.now(),
                )
        except IntegrityError:  # a rival was faster
            found = RiskRuleset.objects.get(number=1)
    return found


def parse_definition(definition: Mapping[str, Any]) -> Ruleset:
    """Return the rules a document describes; raises `InvalidInput` with every fault in it."""
    try:
        rules = Ruleset.from_dict(definition)
    except InvalidRuleset as fault:
        errors = {f"definition.{name}": text for name, text in fault.errors.items()}
        raise InvalidInput(errors) from fault
    _refuse_always_zero(rules)
    return rules


def _refuse_always_zero(rules: Ruleset) -> None:
    """Refuse to save a measure that never counts; rules that are in force already go on."""
    for factor in rules.factors:
        if factor.measure is not None and factor.measure.is_always_zero:
            raise InvalidInput(
                f"definition.factors.{factor.code}.measure.other.kinds",
                _("None of these is among the events themselves, so the share would always be 0."),
            )


@transaction.atomic
def draft_ruleset(
    *, actor: User | None, definition: Mapping[str, Any], note: str = ""
) -> RiskRuleset:
    """Save rules that are not in force yet; what the document leaves out keeps its default."""
    rules = parse_definition(definition)
    ruleset = RiskRuleset(definition=rules.to_dict(), note=note, created_by=actor)
    ruleset.full_clean()
    ruleset.save()
    audit.record("riskops.ruleset.drafted", actor=actor, target=ruleset, after={"note": note})
    return ruleset


def _locked_draft(ruleset: RiskRuleset) -> RiskRuleset:
    locked = lock_row(RiskRuleset.objects.all(), pk=ruleset.pk)
    if locked.is_published:
        raise RulesetAlreadyPublished
    return locked


@transaction.atomic
def change_draft(
    *,
    actor: User | None,
    ruleset: RiskRuleset,
    definition: Mapping[str, Any],
    note: str = "",
) -> RiskRuleset:
    """Replace the rules of a draft."""
    locked = _locked_draft(ruleset)
    before = {"definition": locked.definition, "note": locked.note}
    locked.definition = parse_definition(definition).to_dict()
    locked.note = note
    locked.full_clean()
    locked.save()
    after = {"definition": locked.definition, "note": note}
    audit.record("riskops.ruleset.changed", actor=actor, target=locked, before=before, after=after)
    return locked


@transaction.atomic
def discard_draft(*, actor: User | None, ruleset: RiskRuleset) -> None:
    """Delete a draft."""
    locked = _locked_draft(ruleset)
    audit.record(
        "riskops.ruleset.discarded",
        actor=actor,
        target=locked,
        before={"definition": locked.definition, "note": locked.note},
    )
    locked.delete()


def _shown(*, ruleset: RiskRuleset, **_rest: Any) -> list[tuple[Any, Any]]:
    current = current_ruleset()
    return [
        (_("draft"), str(ruleset)),
        (_("in force now"), str(current)),
        *(
            (part.name, f"{part.before} → {part.after}")
            for part in weaker_parts(current.rules, ruleset.rules)
        ),
    ]


def _rules_in_force(**_rest: Any) -> Ruleset:
    return current_ruleset().rules


def _draft_and_rules_in_force(*, ruleset: RiskRuleset, **_rest: Any) -> list[Any]:
    return [ruleset.definition, current_ruleset().pk]


@needs_second_person(
    "riskops.publish_ruleset",
    kind="switch_off",
    title=_("Publish risk rules that protect less"),
    permission="riskops.publish_riskruleset",
    rule=_(
        "when some score would be lower, a level higher up, a window shorter, or a level does less"
    ),
    needs=lambda attempt: bool(weaker_parts(attempt.before, attempt.result.rules)),
    subject=lambda attempt: attempt.arguments["ruleset"],
    before=_rules_in_force,
    state=_draft_and_rules_in_force,
    shown=_shown,
)
@transaction.atomic
def publish_ruleset(*, actor: User | None, ruleset: RiskRuleset, note: str = "") -> RiskRuleset:
    """Put a draft in force under the next number and have every account scored with it."""
    before = current_ruleset()
    locked = _locked_draft(ruleset)
    numbers = RiskRuleset.objects.aggregate(highest=Max("number"))
    locked.number = (numbers["highest"] or 0) + 1
    locked.published_at = timezone.now()
    locked.published_by = actor
    locked.note = note or locked.note
    locked.full_clean()
    locked.save()
    audit.record(
        "riskops.ruleset.published",
        actor=actor,
        target=locked,
        before={"number": before.number, "definition": before.definition},
        after={"number": locked.number, "definition": locked.definition},
        reason=locked.note,
    )
    ruleset_published.send(sender=RiskRuleset, ruleset_id=locked.pk, number=locked.number)
    enqueue("riskops.tasks.recompute_everyone", "ruleset")
    return locked
