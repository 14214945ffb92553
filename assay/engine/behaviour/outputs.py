"""Outputs of states S1 to S3 of segment 6B."""

from __future__ import annotations

from assay.engine.output import Column, Kind, Output, Role

_TOKENS = ("seed", "parameter_hash", "manifest_fingerprint", "scenario_id")
_ENTITIES = ("party_id", "account_id", "instrument_id", "device_id", "ip_id")
EVENT_TYPES = ("AUTH_REQUEST", "AUTH_RESPONSE")
ENTITY_KINDS = ("PARTY", "ACCOUNT", "INSTRUMENT", "DEVICE", "IP", "MERCHANT")


def _ids(*names: str, nullable: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, "id", nullable) for name in names)


def _output(name: str, columns: tuple[Column, ...], keys: tuple[str, ...], role: Role, *, single: bool = False) -> Output:
    return Output(name, "6B", 3, columns, keys, role, identity=_TOKENS, tokens=_TOKENS, single=single)


MERCHANT = Column("merchant_id", "id64")
SEQ = Column("arrival_seq", "int")
TIME = Column("ts_utc", "time")
AMOUNT = Column("amount", "number")
COUNTERPARTY = Column("counterparty_account_id", "id", nullable=True)
FLAG = Column("fraud_flag", "bool")


def _campaign(kind: Kind = "text", *, nullable: bool = False) -> Column:
    return Column("campaign_id", kind, nullable)


ARRIVAL_ENTITIES = _output(
    "s1_arrival_entities_6B",
    (SEQ, MERCHANT, TIME, *_ids(*_ENTITIES, "session_id")),
    ("merchant_id", "arrival_seq"),
    "behavioural_context",
)
SESSION_INDEX = _output(
    "s1_session_index_6B",
    (
        *_ids("session_id"),
        Column("arrival_count", "int"),
        Column("session_start_utc", "time"),
        Column("session_end_utc", "time"),
        *_ids("party_id", "device_id", "account_id", "instrument_id"),
        MERCHANT,
    ),
    ("session_id",),
    "behavioural_context",
)
_ANCHOR = (*_ids("flow_id"), SEQ, MERCHANT, *_ids(*_ENTITIES), TIME, AMOUNT, COUNTERPARTY)
_EVENT = (*_ids("flow_id"), Column("event_seq", "int"), Column("event_type", "text", words=EVENT_TYPES), TIME, AMOUNT)
BASELINE_FLOWS = _output("s2_flow_anchor_baseline_6B", _ANCHOR, ("flow_id",), "behavioural_context")
BASELINE_EVENTS = _output("s2_event_stream_baseline_6B", _EVENT, ("flow_id", "event_seq"), "behavioural_streams")
FRAUD_FLOWS = _output("s3_flow_anchor_with_fraud_6B", (*_ANCHOR, FLAG, _campaign(nullable=True)), ("flow_id",), "behavioural_context")
FRAUD_EVENTS = _output(
    "s3_event_stream_with_fraud_6B", (*_EVENT, FLAG, _campaign(nullable=True)), ("flow_id", "event_seq"), "behavioural_streams"
)
#: columns and order as those of the baseline; times, entities and sessions are those of the fraud world
FRAUD_ENTITIES = _output(
    "s3_arrival_entities_with_fraud_6B", ARRIVAL_ENTITIES.columns, ("merchant_id", "arrival_seq"), "behavioural_context"
)
#: target_*: what the template aims at; realised campaigns are measured against it
CATALOGUE = _output(
    "s3_campaign_catalogue_6B",
    (
        _campaign(),
        Column("campaign_label", "text"),
        Column("subtype", "text"),
        Column("fraud_rate", "number"),
        Column("flows", "int"),
        Column("window_start_utc", "time"),
        Column("window_end_utc", "time"),
        Column("target_gap_s", "number"),
        Column("target_burst_flows", "number"),
        Column("target_parties_per_device", "number"),
        Column("target_device_hour_flows", "number"),
        Column("target_amount", "number"),
    ),
    ("campaign_id",),
    "truth_products",
    single=True,
)
TARGETS = _output(
    "s3_campaign_targets_6B",
    (_campaign(), Column("entity_kind", "text", words=ENTITY_KINDS), Column("entity_id", "id64")),
    ("campaign_id", "entity_kind", "entity_id"),
    "truth_products",
    single=True,
)
#: one row for each overlaid arrival; an entity that is null keeps the baseline's
PLAN = _output(
    "s3_campaign_plan_6B",
    (
        _campaign(),
        MERCHANT,
        SEQ,
        *_ids(*_ENTITIES, nullable=True),
        COUNTERPARTY,
        Column("amount_minor", "int"),
        TIME,
        Column("episode", "int"),
        Column("role", "text"),
    ),
    ("merchant_id", "arrival_seq"),
    "truth_products",
    single=True,
)
SUBGRAPH = _output(
    "s3_campaign_subgraph_6B",
    (
        _campaign(),
        Column("from_kind", "text", words=ENTITY_KINDS),
        Column("from_id", "id64"),
        Column("to_kind", "text", words=ENTITY_KINDS),
        Column("to_id", "id64"),
        *_ids("flow_id"),
        Column("role", "text"),
    ),
    ("campaign_id", "flow_id"),
    "truth_products",
    single=True,
)
