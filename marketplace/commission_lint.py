"""Finds commission rules that can never match, exactly, by subtracting earlier rules.

A rule is a box with one side per condition. Everything that earlier rules take is cut out of the
box; when nothing is left, no sale can ever reach the rule, even if it takes several earlier rules
together to cover it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

from marketplace.commission import Rule, VolumeSpec

# Subtracting many overlapping rules can split a box into many pieces; past this the rule is
# given the benefit of the doubt instead of the answer being late.
MAX_PIECES = 5_000
_END = float("inf")


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that can never match, with the reason and the rules that take its sales."""

    rule: int
    code: str
    detail: str
    shadowed_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What is known of a product that a rule names."""

    category_path: tuple[int, ...]
    seller: int
    kind: str
    currency: str


@dataclass(frozen=True, slots=True)
class Side:
    """A set of values, or everything but a set."""

    values: frozenset
    excluded: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.excluded and not self.values

    def intersect(self, other: "Side") -> "Side":
        """Return the values in both."""
        if self.excluded and other.excluded:
            return Side(self.values | other.values, True)
        if self.excluded:
            return Side(other.values - self.values)
        if other.excluded:
            return Side(self.values - other.values)
        return Side(self.values & other.values)

    def subtract(self, other: "Side") -> tuple["Side", ...]:
        """Return what is left without the other's values."""
        left = self.intersect(Side(other.values, not other.excluded))
        return () if left.is_empty else (left,)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval: `low` belongs to it, `high` does not."""

    low: float
    high: float

    @property
    def is_empty(self) -> bool:
        return self.low >= self.high

    def intersect(self, other: "Span") -> "Span":
        """Return the part in both."""
        return Span(max(self.low, other.low), min(self.high, other.high))

    def subtract(self, other: "Span") -> tuple["Span", ...]:
        """Return what is left on either side of the other."""
        pieces = (
            Span(self.low, min(self.high, other.low)),
            Span(max(self.low, other.high), self.high),
        )
        return tuple(piece for piece in pieces if not piece.is_empty)


Box = tuple[Side | Span, ...]
ANY = Side(frozenset(), True)


def unreachable(
    rules: Sequence[Rule],
    *,
    now: datetime | None = None,
    descendants: Mapping[int, frozenset[int]] | None = None,
    products: Mapping[int, ProductFacts] | None = None,
    is_first_match: bool = True,
) -> list[Finding]:
    """Report every active rule of one fee that no present or future sale can reach.

    Where every rule that matches is charged, earlier rules take nothing from later ones.
    """
    moment = (now or datetime.now(UTC)).timestamp()
    below = descendants or {}
    findings: list[Finding] = []
    specs = sorted({rule.volume for rule in rules if rule.volume}, key=astuple)
    earlier: list[tuple[int, list[Box]]] = []
    for rule in rules:
        if not rule.is_active:
            continue
        boxes = _boxes(rule, below, products or {}, specs)
        finding = _own_fault(rule, boxes, moment) or _shadow(rule, boxes, earlier, moment)
        if finding:
            findings.append(finding)
        # Only the rule's own words shadow others: product facts may change, its words do not.
        if is_first_match:
            earlier.append((rule.id, [_box(rule, below, specs)]))
    return findings


def _own_fault(rule: Rule, boxes: list[Box], moment: float) -> Finding | None:
    conditions = rule.conditions
    if conditions.is_empty and not conditions.everything:
        return Finding(rule.id, "no_conditions", "The rule has no condition: it matches nothing.")
    if conditions.valid_to and conditions.valid_to.timestamp() <= moment:
        return Finding(rule.id, "expired", "The rule's last day has passed.")
    if all(any(side.is_empty for side in box) for box in boxes):
        return Finding(rule.id, "contradiction", "The rule's conditions exclude one another.")
    return None


def _shadow(
    rule: Rule, boxes: list[Box], earlier: list[tuple[int, list[Box]]], moment: float
) -> Finding | None:
    pieces = [_from(box, moment) for box in boxes]
    pieces = [box for box in pieces if not any(side.is_empty for side in box)]
    takers: list[int] = []
    for rule_id, taken in earlier:
        before, pieces = pieces, _without(pieces, taken)
        if pieces != before:
            takers.append(rule_id)
        if not pieces:
            names = ", ".join(str(taker) for taker in takers)
            detail = f"Every sale it could match is taken by an earlier rule: {names}."
            return Finding(rule.id, "shadowed", detail, tuple(takers))
        if len(pieces) > MAX_PIECES:
            return None
    return None


def _without(pieces: list[Box], taken: list[Box]) -> list[Box]:
    """Return what is left of the pieces where the boxes taken are cut away."""
    for cut in taken:
        pieces = [left for piece in pieces for left in _subtract(piece, cut)]
    return pieces


def _subtract(box: Box, cut: Box) -> list[Box]:
    common = tuple(a.intersect(b) for a, b in zip(box, cut, strict=True))  # type: ignore[arg-type]
    if any(side.is_empty for side in common):
        return [box]
    pieces: list[Box] = []
    current = list(box)
    for place, side in enumerate(cut):
        for left in current[place].subtract(side):  # type: ignore[arg-type]
            pieces.append((*current[:place], left, *current[place + 1 :]))
        current[place] = common[place]
    return pieces


def _boxes(
    rule: Rule,
    descendants: Mapping[int, frozenset[int]],
    products: Mapping[int, ProductFacts],
    specs: Sequence[VolumeSpec],
) -> list[Box]:
    """Return the rule's box, one per product when it names products whose facts are known."""
    named = rule.conditions.products
    if not named or not named <= products.keys():
        return [_box(rule, descendants, specs)]
    boxes = []
    for product in sorted(named):
        facts = products[product]
        conditions = replace(rule.conditions, products=frozenset({product}))
        own = _box(replace(rule, conditions=conditions), descendants, specs)
        known = (
            Side(frozenset(facts.category_path[-1:])),
            Side(frozenset({facts.seller})),
            ANY,
            Side(frozenset({facts.kind})),
            Side(frozenset({facts.currency})),
        )
        narrowed = tuple(a.intersect(b) for a, b in zip(own, known, strict=False))  # type: ignore[arg-type]
        boxes.append((*narrowed, *own[len(known) :]))
    return boxes


def _box(rule: Rule, descendants: Mapping[int, frozenset[int]], specs: Sequence[VolumeSpec]) -> Box:
    """Return one side per condition; the dates come last."""
    wanted = rule.conditions
    sides: Box = (
        _categories(wanted.categories, descendants),
        _side(wanted.sellers),
        _side(wanted.products),
        _side(wanted.kinds),
        _side(None if wanted.currency is None else frozenset({wanted.currency})),
        _side(wanted.countries),
        _side(wanted.buyer_countries),
        _side(wanted.tax_statuses),
        _side(wanted.levels),
        _span(wanted.value_from, wanted.value_below),
        _span(wanted.line_from, wanted.line_below),
        _span(wanted.unit_from, wanted.unit_below),
        *(
            _span(wanted.volume_from, wanted.volume_below) if spec == rule.volume else _span()
            for spec in specs
        ),
        Span(_moment(wanted.valid_from, -_END), _moment(wanted.valid_to, _END)),
    )
    if wanted.is_empty and not wanted.everything:
        return (Side(frozenset()), *sides[1:])
    return sides


def _span(lower: int | None = None, upper: int | None = None) -> Span:
    return Span(0 if lower is None else lower, _END if upper is None else upper)


def _side(values: frozenset | None) -> Side:
    return ANY if values is None else Side(values)


def _categories(named: frozenset[int] | None, descendants: Mapping[int, frozenset[int]]) -> Side:
    if named is None:
        return ANY
    return Side(frozenset().union(*(descendants.get(one, frozenset()) | {one} for one in named)))


def _moment(value: datetime | None, default: float) -> float:
    return default if value is None else value.timestamp()


def _from(box: Box, moment: float) -> Box:
    """Forget the past: only sales from now on can still reach a rule."""
    dates = box[-1]
    return (*box[:-1], dates.intersect(Span(moment, _END)))  # type: ignore[arg-type]
