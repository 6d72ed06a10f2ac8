"""Finds commission rules that can never match, exactly, by subtracting earlier rules.

A rule is a box with one side per condition. Everything that earlier rules take is cut out of the
box; when nothing is left, no sale can ever reach the rule, even if it takes several earlier rules
together to cover it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from marketplace.commission import Conditions, Rule

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
    """A half-open interval."""

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
) -> list[Finding]:
    """Report every active rule that no present or future sale can reach."""
    moment = (now or datetime.now(UTC)).timestamp()
    findings: list[Finding] = []
    earlier: list[tuple[int, list[Box]]] = []
    for rule in rules:
        if not rule.is_active:
            continue
        boxes = _boxes(rule, descendants or {}, products or {})
        finding = _own_fault(rule, boxes, moment) or _shadow(rule, boxes, earlier, moment)
        if finding:
            findings.append(finding)
        # Only the rule's own words shadow others: product facts may change, its words do not.
        earlier.append((rule.id, [_box(rule.conditions, descendants or {})]))
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
        before = pieces
        for cut in taken:
            pieces = [left for piece in pieces for left in _subtract(piece, cut)]
        if pieces != before:
            takers.append(rule_id)
        if not pieces:
            names = ", ".join(str(taker) for taker in takers)
            detail = f"Every sale it could match is taken by an earlier rule: {names}."
            return Finding(rule.id, "shadowed", detail, tuple(takers))
        if len(pieces) > MAX_PIECES:
            return None
    return None


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
) -> list[Box]:
    """Return the rule's box, one per product when it names products whose facts are known."""
    named = rule.conditions.products
    if not named or not named <= products.keys():
        return [_box(rule.conditions, descendants)]
    boxes = []
    for product in sorted(named):
        facts = products[product]
        own = _box(replace(rule.conditions, products=frozenset({product})), descendants)
        known = (
            Side(frozenset(facts.category_path[-1:])),
            Side(frozenset({facts.seller})),
            ANY,
            Side(frozenset({facts.kind})),
            Side(frozenset({facts.currency})),
            Span(-_END, _END),
            Span(-_END, _END),
        )
        boxes.append(tuple(a.intersect(b) for a, b in zip(own, known, strict=True)))  # type: ignore[arg-type]
    return boxes


def _box(conditions: Conditions, descendants: Mapping[int, frozenset[int]]) -> Box:
    if conditions.is_empty and not conditions.everything:
        return (Side(frozenset()),) * 5 + (Span(0, 0), Span(0, 0))
    return (
        _categories(conditions.categories, descendants),
        _side(conditions.sellers),
        _side(conditions.products),
        _side(conditions.kinds),
        _side(None if conditions.currency is None else frozenset({conditions.currency})),
        Span(
            0 if conditions.value_from is None else conditions.value_from,
            _END if conditions.value_below is None else conditions.value_below,
        ),
        Span(_moment(conditions.valid_from, -_END), _moment(conditions.valid_to, _END)),
    )


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
