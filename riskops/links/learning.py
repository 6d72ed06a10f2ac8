"""Learns from verdicts what each kind of evidence is worth, and puts it into force."""

from __future__ import annotations

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _

from riskops.account_sets import Accounts
from riskops.links import combining, linking
from riskops.links.calibration import calibration_error, learnt_curve, probability_of
from riskops.links.detect import current_rules, slices
from riskops.links.evidence import read_world
from riskops.links.rules import CALIBRATED, SHIPPED_CURVES, Bools, Curve, Floats, LinkRules
from riskops.models import LinkCalibration, LinkStatus, RelatedAccount
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

# Fewer judged pairs of a kind of evidence say nothing about its curve.
LEAST_PAIRS = 50
# Verdicts are read in parts, so that the accounts around them fit into memory.
VERDICTS_AT_ONCE = 2_000


@transaction.atomic
def learn_link_calibration(*, actor: User | None = None) -> LinkCalibration:
    """Fit the curve of each kind of evidence to the verdicts in force and use it from now on.

    Raises `InvalidInput` where no kind has `LEAST_PAIRS` pairs that rest on it alone. Half of the
    pairs are held out first: the errors stored are those on the half that was not learnt from.
    """
    rules = current_rules()
    raw, right = judged_pairs(rules)
    curves, numbers, errors = dict(rules.curves), {}, []
    for place, name in enumerate(CALIBRATED):
        alone = (raw[:, place] > 0) & (np.delete(raw, place, axis=1).max(axis=1, initial=0) == 0)
        values, truth = raw[alone, place], right[alone]
        if len(values) < LEAST_PAIRS:
            continue
        # As learnt before, what was learnt is no longer a prior of its own.
        begun = SHIPPED_CURVES[name]
        curves[name] = learnt_curve(values, truth, begun, rules.prior_bits)
        numbers[name] = len(values)
        errors.append(_errors(values, truth, rules.curves[name], begun, rules.prior_bits))
    if not numbers:
        text = _("Learning needs %(least)d judged pairs that rest on one kind of evidence.")
        raise InvalidInput("verdicts", text % {"least": LEAST_PAIRS}, code="too_few")
    LinkCalibration.objects.filter(is_active=True).update(is_active=False)
    weights = [float(number) for number in numbers.values()]
    row = LinkCalibration.objects.create(
        curves=curves,
        pairs=numbers,
        error_before=float(np.average([error[0] for error in errors], weights=weights)),
        error_after=float(np.average([error[1] for error in errors], weights=weights)),
        created_by=actor,
        is_active=True,
    )
    audit.record(
        "riskops.link_calibration.learnt", actor=actor, target=row, metadata={"pairs": numbers}
    )
    return row


@transaction.atomic
def reset_link_calibration(*, actor: User | None = None) -> bool:
    """Return to the shipped curves; False where they are in force already."""
    row = LinkCalibration.objects.select_for_update().filter(is_active=True).first()
    if row is None:
        return False
    row.is_active = False
    row.save(update_fields=["is_active"])
    audit.record("riskops.link_calibration.reset", actor=actor, target=row)
    return True


def _errors(
    raw: Floats, right: Bools, in_force: Curve, begun: Curve, prior_bits: float
) -> tuple[float, float]:
    """Return the calibration error on every second pair, as it was and as learnt from the rest."""
    held = np.arange(len(raw)) % 2 == 1
    learnt = learnt_curve(raw[~held], right[~held], begun, prior_bits)

    def error(curve: Curve) -> float:
        said = probability_of(combining.worth(raw[held], curve), prior_bits)
        return calibration_error(said, right[held])

    return error(in_force), error(learnt)


def judged_pairs(rules: LinkRules) -> tuple[Floats, Bools]:
    """Return raw bits by kind of evidence (pairs × CALIBRATED) of judged pairs, and verdicts."""
    verdicts = RelatedAccount.objects.exclude(status=LinkStatus.SUSPECTED).order_by("low_id", "pk")
    rows = list(verdicts.values_list("low_id", "high_id", "status"))
    raws, rights = [np.zeros((0, len(CALIBRATED)))], [np.zeros(0, dtype=np.bool_)]
    for start in range(0, len(rows), VERDICTS_AT_ONCE):
        part = rows[start : start + VERDICTS_AT_ONCE]
        wanted = {(low, high): status == LinkStatus.CONFIRMED for low, high, status in part}
        asked = Accounts.listed({account for pair in wanted for account in pair})
        world = read_world(rules, asked)
        transfers = linking.transfer_pairs(world.owners, world.dealings)
        for lows in slices(world):
            mine = lows[transfers.low]
            rows_of = linking.PairRows(
                *(getattr(transfers, n)[mine] for n in linking.PairRows.__dataclass_fields__)
            )
            evidence = linking.PairRows.concatenate(
                [linking.expand_pairs(world.quiet, lows), rows_of]
            )
            links = combining.combine(evidence, world.known, world.norms, world.population, rules)
            a, b = world.accounts[links.low], world.accounts[links.high]
            ends = zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), strict=True)
            truth = [wanted.get(pair) for pair in ends]
            found = [place for place, one in enumerate(truth) if one is not None]
            raws.append(links.raw[found])
            rights.append(np.array([truth[place] for place in found], dtype=np.bool_))
    return np.concatenate(raws), np.concatenate(rights)
