"""Segments 5A and 5B as values."""

from __future__ import annotations

from assay.contracts.gates import GateMethod
from assay.engine.arrivals.checks import SUMS, VOLUME
from assay.engine.arrivals.counts import bucket_counts
from assay.engine.arrivals.demand import merchant_profile
from assay.engine.arrivals.events import arrival_events, prepared
from assay.engine.arrivals.intensity import realised_intensity
from assay.engine.output import Column, Output
from assay.engine.places.documents import CHANNELS, DEMAND_CLASSES, country_words, zone_words
from assay.engine.scenario import time_parts
from assay.engine.segment import Segment, State

_MERCHANT = Column("merchant_id", "id64")
_DEMAND = Column("demand_class", "text", words=DEMAND_CLASSES)
_ZONE, _BUCKET = Column("zone_representation", "text", words=zone_words()), Column("bucket_index", "int")
_LAMBDA = Column("lambda_realised", "number")
_IDENTITY = ("seed", "manifest_fingerprint", "parameter_hash", "scenario_id")
#: 5B's paths have no parameter_hash level
_TOKENS = ("seed", "manifest_fingerprint", "scenario_id")

PROFILE = Output(
    "merchant_zone_profile_5A",
    "5A",
    2,
    (
        _MERCHANT,
        Column("country_iso", "text", words=country_words()),
        Column("tzid", "text", words=zone_words()),
        _DEMAND,
        Column("weekly_volume", "number"),
    ),
    ("merchant_id", "tzid"),
    "reference",
)
SHAPES = Output(
    "class_zone_shape_5A",
    "5A",
    2,
    (_DEMAND, Column("hour_of_week", "int"), Column("share", "number")),
    ("demand_class", "hour_of_week"),
    "reference",
)
INTENSITY = Output(
    "s2_realised_intensity_5B",
    "5B",
    2,
    (_MERCHANT, _ZONE, _BUCKET, _LAMBDA),
    ("merchant_id", "zone_representation", "bucket_index"),
    "reference",
    _IDENTITY,
    _TOKENS,
)
COUNTS = Output(
    "s3_bucket_counts_5B",
    "5B",
    2,
    (_MERCHANT, _ZONE, _BUCKET, Column("count", "int")),
    ("merchant_id", "zone_representation", "bucket_index"),
    "reference",
    _IDENTITY,
    _TOKENS,
)
ARRIVALS = Output(
    "arrival_events_5B",
    "5B",
    2,
    (
        _MERCHANT,
        _ZONE,
        _BUCKET,
        Column("arrival_seq", "int"),
        Column("ts_utc", "time"),
        Column("tzid_primary", "text", words=zone_words()),
        Column("ts_local_primary", "local_time"),
        Column("is_virtual", "bool"),
        Column("channel_group", "text", words=CHANNELS),
        Column("site_id", "id64", nullable=True),
        Column("edge_id", "id64", nullable=True),
        _LAMBDA,
    ),
    ("merchant_id", "arrival_seq"),
    "traffic_primitives",
    _IDENTITY,
    _TOKENS,
    folder="arrival_events",
    external=True,
    join_keys=("merchant_id", "arrival_seq"),
)

_LAYER_1 = ("1A", "1B", "2A", "2B", "3A", "3B")
_METHOD = "sha256_index_json_ascii_lex_raw_bytes"
_DIGEST = "bundle_digest_sha256"
SEGMENT_5A = Segment(
    "5A",
    2,
    _LAYER_1,
    (
        State(
            "S3",
            ("outlet_catalogue", "site_timezones", "s1_site_weights", "zone_alloc", "virtual_classification_3B", "edge_catalogue_3B"),
            (PROFILE, SHAPES),
            merchant_profile,
        ),
    ),
    (SUMS,),
    GateMethod(_METHOD, "validation_bundle_index_5A.json", "entries", _DIGEST, json_flag=True, version_field="s5_spec_version"),
)
SEGMENT_5B = Segment(
    "5B",
    2,
    (*_LAYER_1, "5A"),
    (
        State(
            "S2",
            ("merchant_zone_profile_5A", "class_zone_shape_5A", "s3_day_effects", "tz_timetable_cache"),
            (INTENSITY,),
            realised_intensity,
        ),
        State("S3", ("merchant_zone_profile_5A", "s2_realised_intensity_5B"), (COUNTS,), bucket_counts),
        State(
            "S4",
            (
                "merchant_zone_profile_5A",
                "s2_realised_intensity_5B",
                "s3_bucket_counts_5B",
                "tz_timetable_cache",
                "outlet_catalogue",
                "site_timezones",
                "s1_site_weights",
                "virtual_classification_3B",
                "edge_catalogue_3B",
            ),
            (ARRIVALS,),
            arrival_events,
            parts=time_parts,
            prepare=prepared,
        ),
    ),
    (VOLUME,),
    GateMethod(_METHOD, list_name="entries", digest_field=_DIGEST, json_flag=True, version_field="s5_spec_version"),
    ("seed", "parameter_hash", "manifest_fingerprint", "scenario_id"),
)
LAYER_2 = (SEGMENT_5A, SEGMENT_5B)
