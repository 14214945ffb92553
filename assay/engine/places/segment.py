"""Segments 1A, 1B, 2A, 2B, 3A and 3B as values. Gate methods are those of the reference's gate map."""

from __future__ import annotations

from assay.contracts.gates import GateMethod
from assay.engine.output import Column, Output
from assay.engine.places.checks import LOCATIONS, OUTLET_SIZES, WEIGHTS
from assay.engine.places.documents import CHANNELS, DEMAND_CLASSES, MCC_CLASSES, country_words, zone_words
from assay.engine.places.merchants import outlet_catalogue
from assay.engine.places.sites import site_locations, site_timezones
from assay.engine.places.virtual import virtual_merchants
from assay.engine.places.weights import site_weights, zone_alloc
from assay.engine.segment import Segment, State

MERCHANT, SITE = Column("merchant_id", "id64"), Column("site_id", "id64")
COUNTRY, ZONE = Column("country_iso", "text", words=country_words()), Column("tzid", "text", words=zone_words())
WEIGHT = Column("weight", "number")

OUTLET_CATALOGUE = Output(
    "outlet_catalogue",
    "1A",
    1,
    (
        MERCHANT,
        Column("mcc_class", "text", words=MCC_CLASSES),
        Column("demand_class", "text", words=DEMAND_CLASSES),
        Column("channel", "text", words=CHANNELS),
        Column("home_country_iso", "text", words=country_words()),
        COUNTRY,
        Column("site_order", "int"),
        SITE,
    ),
    ("merchant_id", "country_iso", "site_order"),
    "reference",
    external=True,
)
SITE_LOCATIONS = Output(
    "site_locations",
    "1B",
    1,
    (MERCHANT, COUNTRY, SITE, Column("lat", "number"), Column("lon", "number")),
    ("site_id",),
    "reference",
    external=True,
)
SITE_TIMEZONES = Output("site_timezones", "2A", 1, (MERCHANT, COUNTRY, SITE, ZONE), ("site_id",), "reference", external=True)
TIMETABLE = Output(
    "tz_timetable_cache", "2A", 1, (ZONE, Column("from_utc", "time"), Column("offset_s", "int")), ("tzid", "from_utc"), "reference"
)
SITE_WEIGHTS = Output("s1_site_weights", "2B", 1, (MERCHANT, SITE, WEIGHT), ("site_id",), "reference")
DAY_EFFECTS = Output(
    "s3_day_effects", "2B", 1, (MERCHANT, Column("utc_day", "int"), Column("factor", "number")), ("merchant_id", "utc_day"), "reference"
)
ZONE_ALLOC = Output(
    "zone_alloc", "3A", 1, (MERCHANT, COUNTRY, ZONE, Column("site_count", "int")), ("merchant_id", "tzid"), "reference", external=True
)
VIRTUAL = Output(
    "virtual_classification_3B",
    "3B",
    1,
    (MERCHANT, Column("is_virtual", "bool"), Column("settlement_tzid", "text", words=zone_words())),
    ("merchant_id",),
    "reference",
)
EDGES = Output("edge_catalogue_3B", "3B", 1, (MERCHANT, Column("edge_id", "id64"), COUNTRY, ZONE, WEIGHT), ("edge_id",), "reference")

_RAW = "sha256_index_json_ascii_lex_raw_bytes"
SEGMENT_1A = Segment(
    "1A",
    1,
    (),
    (State("S8", (), (OUTLET_CATALOGUE,), outlet_catalogue),),
    (OUTLET_SIZES,),
    GateMethod("sha256_bundle_digest", whole=True),
)
SEGMENT_1B = Segment(
    "1B",
    1,
    ("1A",),
    (State("S8", ("outlet_catalogue",), (SITE_LOCATIONS,), site_locations),),
    (LOCATIONS,),
    GateMethod("sha256_bundle_digest", whole=True),
)
SEGMENT_2A = Segment(
    "2A",
    1,
    ("1B",),
    (State("S2", ("site_locations",), (SITE_TIMEZONES, TIMETABLE), site_timezones),),
    (),
    GateMethod(_RAW),
)
SEGMENT_2B = Segment(
    "2B",
    1,
    ("1B", "2A"),
    (State("S3", ("site_locations", "site_timezones"), (SITE_WEIGHTS, DAY_EFFECTS), site_weights),),
    (WEIGHTS,),
    GateMethod(_RAW, pack_paths=True),
)
SEGMENT_3A = Segment(
    "3A",
    1,
    ("1A", "1B", "2A"),
    (State("S5", ("outlet_catalogue", "site_timezones"), (ZONE_ALLOC,), zone_alloc),),
    (),
    GateMethod(
        "sha256_member_digest_concat",
        list_name="members",
        members=True,
        digest_fields=(("s6_receipt_digest", "validation_report.json"), ("s5_manifest_digest", "outputs.json")),
    ),
)
SEGMENT_3B = Segment(
    "3B",
    1,
    ("1A", "1B", "2A", "2B", "3A"),
    (State("S2", ("outlet_catalogue", "zone_alloc"), (VIRTUAL, EDGES), virtual_merchants),),
    (),
    GateMethod(_RAW, list_name="members"),
)
LAYER_1 = (SEGMENT_1A, SEGMENT_1B, SEGMENT_2A, SEGMENT_2B, SEGMENT_3A, SEGMENT_3B)
