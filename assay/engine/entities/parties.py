"""S1: who lives where. Parties of a country are numbered one after the other, and within it those of a type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities.country_shares import by_type, country_facts, parties_by_country
from assay.engine.entities.documents import Parties
from assay.engine.entities.frames import Codes, Floats, Ints, by_part, choices
from assay.engine.entities.outputs import COUNTRIES, PARTY_BASE, PARTY_SUMMARY
from assay.engine.entities.parties_kernel import draw_segments
from assay.engine.entities.vocabulary import PARTY_TYPES, REGIONS, SEGMENTS
from assay.engine.output import worded
from assay.engine.places.documents import Countries
from assay.engine.scenario import Scale, parties_of, party_parts
from assay.engine.segment import Scene, State


@dataclass(frozen=True)
class Cells:
    """Parties of one country and type: codes, and the running sum of parties up to the end of each cell."""

    countries: Codes
    regions: Codes
    types: Codes
    ends: Ints
    mixes: Floats


def prepare_parties(scene: Scene) -> Cells:
    """Sizes of the cells from outlets and expected arrivals."""
    document, regions = scene.parameters.of(Parties), scene.parameters.of(Countries).countries
    outlets = scene.table("outlet_catalogue", None, ["country_iso"])
    facts = country_facts(outlets, scene.table("merchant_zone_profile_5A", None, ["country_iso", "weekly_volume"]))
    sizes = by_type(parties_by_country(facts, document, scene.parameters.of(Scale)), document.party_types)
    kinds = len(PARTY_TYPES)
    return Cells(
        frozen(np.repeat([COUNTRIES.index(country) for country in facts], kinds), np.uint8),
        frozen(np.repeat([REGIONS.index(regions[country].region) for country in facts], kinds), np.uint8),
        frozen(np.tile(np.arange(kinds), len(facts)), np.uint8),
        frozen(np.cumsum([size for row in sizes for size in row]), np.int64),
        choices((document.segments[region][kind] for region in REGIONS for kind in PARTY_TYPES), SEGMENTS),  # type: ignore[index]
    )


def make_parties(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The parties of a part."""
    cells: Cells = scene.prepared
    first, last = parties_of(scene.parameters, part)
    cell = np.searchsorted(cells.ends, np.arange(first, last), side="right")
    segments = np.empty(last - first, np.uint8)
    mixes = frozen(cells.regions.astype(np.int64) * len(PARTY_TYPES) + cells.types, np.int64)
    draw_segments(scene.key("segment"), first, frozen(cell, np.int64), mixes, cells.mixes, len(SEGMENTS), segments)
    made = pl.DataFrame(
        {
            "party_id": np.arange(first + 1, last + 1),
            "party_type": worded(cells.types[cell], PARTY_TYPES),
            "segment_id": worded(segments, SEGMENTS),
            "region_id": worded(cells.regions[cell], REGIONS),
            "country_iso": worded(cells.countries[cell], COUNTRIES),
        }
    )
    return {PARTY_BASE.output_id: made}


def make_summary(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """How many parties each country has, by type and segment, in the order of their numbers."""
    keys = ["country_iso", "party_type", "segment_id", "region_id"]
    counted = [rows.group_by(keys).len("party_count") for rows in by_part(scene, PARTY_BASE.output_id, keys)]
    made = pl.concat(counted).group_by(keys).agg(pl.col("party_count").cast(pl.Int64).sum()).sort(keys)
    return {PARTY_SUMMARY.output_id: made}


UPSTREAM = ("outlet_catalogue", "merchant_zone_profile_5A")
S1 = State("S1", UPSTREAM, (PARTY_BASE,), make_parties, party_parts, prepare_parties)
S1_SUMMARY = State("S1_summary", (PARTY_BASE.output_id,), (PARTY_SUMMARY,), make_summary)
