"""Shapes of JSON columns and of plain dicts in the schema, where services hold them to one.

A JSON column is anything to the schema, and `unknown` in generated clients. What is not here is
meant to be anything: audit rows, attributes of products, evidence, what a payment service sent.
"""

from typing import Any, Final

Shape = dict[str, Any]

_TEXT: Final[Shape] = {"type": "string"}
_WHOLE: Final[Shape] = {"type": "integer"}
_FLAG: Final[Shape] = {"type": "boolean"}
_TEXT_OR_NONE: Final[Shape] = {"type": ["string", "null"]}
_WHOLE_OR_NONE: Final[Shape] = {"type": ["integer", "null"]}
_TEXTS: Final[Shape] = {"type": "array", "items": _TEXT}
_OBJECT: Final[Shape] = {"type": "object", "additionalProperties": {}}
_AMOUNTS: Final[Shape] = {"type": "object", "additionalProperties": _WHOLE}
_TEXT_OR_WHOLE: Final[Shape] = {"anyOf": [_TEXT, _WHOLE]}
_RATES: Final[Shape] = {
    "type": "array",
    "items": {
        "type": "array",
        "items": _WHOLE,
        "minItems": 2,
        "maxItems": 2,
    },
}
_HOURS: Final[Shape] = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": _TEXTS},
}
_POINTS: Final[Shape] = {
    "type": "array",
    "items": {"type": "array", "items": _TEXT_OR_WHOLE, "minItems": 2, "maxItems": 2},
}


def _fields(required: str, optional: Shape | None = None, **fields: Shape) -> Shape:
    """Return an object; `required` names those fields that are always there."""
    return {
        "type": "object",
        "properties": fields | (optional or {}),
        "required": required.split(),
    }


def _named(name: str) -> Shape:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(name: str) -> Shape:
    return {"type": "array", "items": _named(name)}


def _sums(what: str) -> Shape:
    counted = {what: _WHOLE, "changed": _WHOLE, "before": _WHOLE, "after": _WHOLE}
    return _fields(f"currency {what} changed before after", counted, currency=_TEXT)


_NUMBER: Final[Shape] = {"type": "number"}
_NUMBER_OR_NONE: Final[Shape] = {"type": ["number", "null"]}
_MOMENT: Final[Shape] = {"type": "string", "format": "date-time"}
# A block of the status that could not be read says so in place of its figures.
_FAILED: Final[Shape] = {"status": _TEXT, "error": _TEXT}


def _block(**fields: Shape) -> Shape:
    return _fields("", _FAILED, **fields)


_TRAFFIC: Final = _fields(
    "requests per_second mean_ms p95_ms error_percent",
    requests=_WHOLE,
    per_second=_NUMBER,
    mean_ms=_NUMBER,
    p95_ms=_NUMBER,
    error_percent=_NUMBER,
)
_CLUSTER: Final = _fields(
    "alive is_missing last_seen_seconds",
    alive=_WHOLE,
    is_missing=_FLAG,
    last_seen_seconds=_NUMBER_OR_NONE,
)
_STATUS_BLOCKS: Final[dict[str, Shape]] = {
    "machine": _block(
        cpu_percent=_NUMBER,
        cpu_count=_WHOLE_OR_NONE,
        load={"type": "array", "items": _NUMBER},
        memory_total=_WHOLE,
        memory_used_percent=_NUMBER,
        disk_total=_WHOLE,
        disk_free=_WHOLE,
        disk_free_percent=_NUMBER,
    ),
    "process": _block(
        pid=_WHOLE, memory=_WHOLE, threads=_WHOLE, open_files=_WHOLE_OR_NONE, started_at=_MOMENT
    ),
    "requests": _block(**{"1m": _TRAFFIC, "5m": _TRAFFIC, "15m": _TRAFFIC}),
    # Figures of the engine in use stand beside these.
    "database": _block(engine=_TEXT, unapplied_migrations=_WHOLE) | {"additionalProperties": {}},
    "cache": _block(backend=_TEXT, round_trip_ms=_NUMBER),
    "queue": _block(
        workers=_WHOLE,
        clusters={"type": "object", "additionalProperties": _CLUSTER},
        failed_rows=_fields("waiting given_up", waiting=_WHOLE, given_up=_WHOLE),
        web_processes=_WHOLE,
        depth=_WHOLE,
        oldest_seconds=_NUMBER,
        failures_24h=_WHOLE,
        quarantined=_WHOLE,
    ),
    "channels": _block(
        email=_TEXT,
        telegram_configured=_FLAG,
        apprise_channels=_WHOLE,
        notices_failed=_WHOLE,
        notifications_pending=_WHOLE,
    ),
    "secrets": {"type": "object", "additionalProperties": _TEXT},
    "versions": {"type": "object", "additionalProperties": _TEXT},
    # Each desk's check adds figures of its own.
    "checks": {
        "type": "object",
        "additionalProperties": _fields("status", status=_TEXT) | {"additionalProperties": {}},
    },
}
_CHOSEN: Final = _fields("kinds where", kinds=_TEXTS, where=_list_of("EventCondition"))
# Components by name, beside those that serializers make.
COMPONENTS: Final[dict[str, Shape]] = {
    "SystemStatus": _fields(
        " ".join(["status", "measured_at", "age_seconds", *_STATUS_BLOCKS]),
        _STATUS_BLOCKS,
        status=_TEXT,
        measured_at=_MOMENT,
        age_seconds=_NUMBER,
    ),
    "TraceStep": _fields(
        "step detail",
        {"from": _WHOLE},
        step=_TEXT,
        detail=_TEXT,
        value=_WHOLE,
        rule=_WHOLE_OR_NONE,
        version=_WHOLE_OR_NONE,
        name=_TEXT_OR_NONE,
        matched=_FLAG,
        reason=_TEXT_OR_NONE,
        ppm=_WHOLE,
        base=_WHOLE,
        exact=_TEXT,
        rounded=_WHOLE,
    ),
    "ProductCheck": _fields(
        "code severity detail",
        code=_TEXT,
        severity=_TEXT,
        detail=_TEXT,
        data=_fields(
            "",
            words=_TEXTS,
            price=_WHOLE,
            median=_WHOLE,
            sample=_WHOLE,
            products={"type": "array", "items": _WHOLE},
            score=_WHOLE,
            level=_TEXT,
        ),
    ),
    "ApprovalResult": _fields(
        "", queued=_FLAG, done=_FLAG, type=_TEXT, id=_TEXT_OR_WHOLE, error=_TEXT
    ),
    "EventCondition": _fields("field op value", field=_TEXT, op=_TEXT, value=_TEXT_OR_WHOLE),
    "ChosenEvents": _CHOSEN,
    "MeasureOfEvents": _fields(
        "aggregate kinds where field past",
        aggregate=_TEXT,
        kinds=_TEXTS,
        where=_list_of("EventCondition"),
        field=_TEXT,
        past=_WHOLE,
        other=_named("ChosenEvents"),
        delay=_WHOLE,
        least_past=_WHOLE,
    ),
    "ClusterBridge": _fields(
        "account other strength reason",
        account=_WHOLE,
        other=_WHOLE,
        strength={"type": "number"},
        reason=_TEXT,
    ),
    "ChangedField": _fields("field before after", field=_TEXT, before={}, after={}),
    "LinesPreview": _sums("lines"),
    "PayoutsPreview": _sums("payouts"),
    "RulePreview": _fields("rule lines", rule=_WHOLE_OR_NONE, lines=_WHOLE),
    "LinePreview": _fields(
        "order line before after", order=_WHOLE, line=_WHOLE, before=_WHOLE, after=_WHOLE
    ),
    # A number, or one per kind: per currency, status, role.
    "FigureValue": {
        "anyOf": [
            {"type": "number"},
            {"type": "object", "additionalProperties": {"type": "number"}},
            {"type": "null"},
        ]
    },
    "FigurePoint": _fields("at value", at=_TEXT, value=_named("FigureValue")),
    "SettingValue": {"anyOf": [_TEXT, {"type": "number"}, _FLAG, _TEXTS, {"type": "null"}]},
    # What changed: `from` and `to`; otherwise a number of a reply or ticket, a name, an address.
    "TicketEventData": {
        "type": "object",
        "additionalProperties": {"anyOf": [_TEXT, _WHOLE, _TEXTS, {"type": "null"}]},
    },
}
# Property by name, in the components that show the column.
SHAPES: Final[dict[str, tuple[Shape, frozenset[str]]]] = {
    "images": (_TEXTS, frozenset({"OwnProduct", "Product", "ProductList", "StaffProduct"})),
    "attributes": (_OBJECT, frozenset({"OwnProduct", "Product", "StaffProduct"})),
    "base": (_OBJECT, frozenset({"ProductRevision", "StaffRevision"})),
    "patch": (_OBJECT, frozenset({"ProductRevision", "StaffRevision"})),
    "kinds": (_TEXTS, frozenset({"CommissionRule"})),
    "countries": (_TEXTS, frozenset({"CommissionRule"})),
    "buyer_countries": (_TEXTS, frozenset({"CommissionRule"})),
    "tax_statuses": (_TEXTS, frozenset({"CommissionRule"})),
    "levels": (_TEXTS, frozenset({"CommissionRule"})),
    "tiers": (_RATES, frozenset({"CommissionRule"})),
    "windows": (_HOURS, frozenset({"BusinessCalendar"})),
    "holidays": (_TEXTS, frozenset({"BusinessCalendar"})),
    "add_tags": (_TEXTS, frozenset({"TicketMacro"})),
    "event_types": (_TEXTS, frozenset({"WebhookEndpoint"})),
    "result": (_named("ApprovalResult"), frozenset({"ApprovalDetail", "ApprovalRequest"})),
    "facts": ({"type": "array", "items": _TEXTS}, frozenset({"ApprovalDetail"})),
    "before": (_OBJECT, frozenset({"AuditEntry"})),
    "after": (_OBJECT, frozenset({"AuditEntry"})),
    "metadata": (_OBJECT, frozenset({"AuditEntry"})),
    "totals": (
        {"type": "object", "additionalProperties": _AMOUNTS},
        frozenset({"ClosedMonth"}),
    ),
    "movements": (_AMOUNTS, frozenset({"Statement"})),
    "value": (_named("SettingValue"), frozenset({"Setting"})),
    "default": (_named("SettingValue"), frozenset({"Setting"})),
    "old": (_named("SettingValue"), frozenset({"ConfigurationChange"})),
    "new": (_named("SettingValue"), frozenset({"ConfigurationChange"})),
    "previous": (_named("FigureValue"), frozenset({"Figure"})),
    "series": (_list_of("FigurePoint"), frozenset({"Figure"})),
    "warnings": (_TEXTS, frozenset({"Restore", "Verification"})),
    "problems": (_TEXTS, frozenset({"Verification"})),
    "checks": (_list_of("ProductCheck"), frozenset({"StaffProduct", "StaffRevision"})),
    "diff": (_list_of("ChangedField"), frozenset({"StaffRevision"})),
    "data": (_named("TicketEventData"), frozenset({"TicketEvent"})),
    "conditions": (
        _list_of("Condition"),
        frozenset({"DecisionRuleInputRequest", "PatchedDecisionRuleInputRequest"}),
    ),
    "measure": (_named("MeasureOfEvents"), frozenset({"Condition"})),
    "bridges": (_list_of("ClusterBridge"), frozenset({"Cluster", "ClusterDetail"})),
    "trace": (
        _list_of("TraceStep"),
        frozenset({"CommissionLine", "PayoutPreview", "Quote", "QuoteLine"}),
    ),
    "fee_trace": (_list_of("TraceStep"), frozenset({"PayoutDetail"})),
    "currencies": (_list_of("LinesPreview"), frozenset({"Preview"})),
    "rules": (_list_of("RulePreview"), frozenset({"Preview"})),
    "largest_changes": (_list_of("LinePreview"), frozenset({"Preview"})),
    "payouts": (_list_of("PayoutsPreview"), frozenset({"Preview"})),
    "opened_by_day": (_POINTS, frozenset({"SupportReport"})),
    "resolved_by_day": (_POINTS, frozenset({"SupportReport"})),
    "backlog_ages": (_POINTS, frozenset({"SupportReport"})),
}
# Fields of the same name that hold something else.
ALSO: Final[dict[tuple[str, str], Shape]] = {
    ("Condition", "value"): _TEXT_OR_WHOLE,
    ("Figure", "value"): _named("FigureValue"),
}
_SHAPED_BY: Final = {"type", "items", "additionalProperties", "oneOf", "anyOf", "allOf"}


def shape_json_columns(result: dict[str, Any], generator: Any, request: Any, public: bool) -> Any:
    """Post-processing hook: say what lies in the JSON columns that have one shape."""
    components = result["components"]["schemas"]
    components |= COMPONENTS
    if "BlankEnum" in components:
        components["BlankEnum"] |= {"type": "string"}
    for name, (shape, owners) in SHAPES.items():
        for owner in owners:
            _give(components, owner, name, shape)
    for (owner, name), shape in ALSO.items():
        _give(components, owner, name, shape)
    return result


def _give(components: dict[str, Any], owner: str, name: str, shape: Shape) -> None:
    """Put a shape in the place of a property's own, beside its title and description.

    A schema of some addresses alone lacks the components of the others.
    """
    if owner not in components:
        return
    properties = components[owner]["properties"]
    said = {key: value for key, value in properties[name].items() if key not in _SHAPED_BY}
    properties[name] = said | ({"allOf": [shape]} if said and "$ref" in shape else shape)
