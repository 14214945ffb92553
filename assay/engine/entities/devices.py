"""S4: devices of parties, and who shares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities import guards
from assay.engine.entities.counts import Table, draw_counts, table_of
from assay.engine.entities.device_uses import with_uses
from assay.engine.entities.devices_kernel import draw_device_links, draw_devices
from assay.engine.entities.documents import Devices
from assay.engine.entities.frames import Floats, Ints, by_part, choices, codes, running, starts
from assay.engine.entities.outputs import ACCOUNT_BASE, DEVICE_BASE, DEVICE_LINKS, INSTRUMENT_BASE, PARTY_BASE, PARTY_SUMMARY
from assay.engine.entities.vocabulary import DEVICE_LINK_ROLES, DEVICE_TYPES, OPERATED, PARTY_TYPES, SEGMENTS, SYSTEMS, party_type_of
from assay.engine.output import worded
from assay.engine.scenario import parties_of, party_parts
from assay.engine.segment import Scene, State


@dataclass(frozen=True)
class DeviceLaws:
    """Counts by segment, choices of types and systems, household sizes, chances; parties up to each cell's end, devices before parts."""

    table: Table
    types: Floats
    systems: Floats
    households: Floats
    sharing: Floats
    operated: Ints
    cell_ends: Ints
    devices: Ints


def prepare_devices(scene: Scene) -> DeviceLaws:
    """Tables, and how many devices each part has."""
    document = scene.parameters.of(Devices)
    by_type = [document.laws[PARTY_TYPES[party_type_of(name)]] for name in SEGMENTS]  # type: ignore[index]
    table = table_of([law.running(document.factors.get(name, "1")) for law, name in zip(by_type, SEGMENTS, strict=True)])
    mixes = [mix for kind in document.types.values() for mix in (kind.first, kind.further)]
    sizes = {str(number): weight for number, weight in enumerate(document.households)}
    cells = scene.table(PARTY_SUMMARY.output_id, 0, ["country_iso", "party_type", "party_count"])
    cells = cells.group_by("country_iso", "party_type").agg(pl.col("party_count").sum()).sort("country_iso", "party_type")
    devices, parties = [], 0
    for rows in by_part(scene, PARTY_BASE.output_id, ["segment_id"]):
        devices.append(draw_counts(scene.key("count"), parties, codes(rows, "segment_id"), table, np.empty(len(rows), np.int64)))
        parties += len(rows)
    together = _share_together(document.households)
    return DeviceLaws(
        table,
        choices(mixes, DEVICE_TYPES),
        choices((document.systems[name] for name in DEVICE_TYPES), SYSTEMS),
        frozen(np.array(running(sizes, [*sizes])), np.float64),
        frozen(np.array([document.sharing[name] / together for name in DEVICE_TYPES]), np.float64),
        frozen(np.array([name in OPERATED for name in DEVICE_TYPES]), np.int64),
        frozen(np.cumsum(cells["party_count"].to_numpy()), np.int64),
        starts(devices),
    )


def make_devices(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Devices of the parties of a part, and their links."""
    laws: DeviceLaws = scene.prepared
    first, last = parties_of(scene.parameters, part)
    parties = scene.table(PARTY_BASE.output_id, part, ["party_id", "party_type", "segment_id", "region_id", "country_iso"])
    guards.party_meta(parties, first, last, DEVICE_BASE.output_id)
    before, counts = int(laws.devices[part]), np.empty(len(parties), np.int64)
    total = draw_counts(scene.key("count"), first, codes(parties, "segment_id"), laws.table, counts)
    party, types, systems = np.empty(total, np.int64), np.empty(total, np.uint8), np.empty(total, np.uint8)
    draw_devices(
        *(scene.key("device"), first, frozen(counts, np.int64), codes(parties, "party_type"), laws.types, len(DEVICE_TYPES)),
        *(laws.systems, len(SYSTEMS), party, types, systems),
    )
    base = pl.DataFrame(
        {
            "device_id": np.arange(total) + before + 1,
            "device_type": worded(types, DEVICE_TYPES),
            "os_family": worded(systems, SYSTEMS),
            "primary_party_id": party + first + 1,
            "home_region_id": parties["region_id"][party],
            "home_country_iso": parties["country_iso"][party],
        }
    )
    links = _links(scene, part, frozen(party, np.int64), frozen(types, np.uint8))
    return {DEVICE_BASE.output_id: base, DEVICE_LINKS.output_id: with_uses(scene, part, links, types, before)}


def _links(scene: Scene, part: int, party: Ints, types: Ints) -> pl.DataFrame:
    laws: DeviceLaws = scene.prepared
    document = scene.parameters.of(Devices)
    first, last = parties_of(scene.parameters, part)
    before = int(laws.devices[part])
    cells = np.searchsorted(laws.cell_ends, np.arange(first, last), side="right")
    room = len(party) + (last - first) * document.shared_per_party_max * (document.parties_per_device_max - 1)
    devices, users, roles = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint8)
    rows = draw_device_links(
        *((scene.key("household"), scene.key("sharing")), first, before, party, types, frozen(cells, np.int64), laws.cell_ends),
        *(laws.households, laws.sharing, laws.operated, document.shared_per_party_max, devices, users, roles),
    )
    counted = np.bincount(devices[:rows] - before - 1, minlength=len(party))
    guards.at_most("parties of a device", "device_id", counted, document.parties_per_device_max, before + 1, DEVICE_LINKS.output_id)
    start = int(users[:rows].min()) if rows else 1
    owned = np.bincount(users[:rows] - start)
    guards.at_most("devices of a party", "party_id", owned, document.devices_per_party_max, start, DEVICE_LINKS.output_id)
    return pl.DataFrame({"device_id": devices[:rows], "party_id": users[:rows], "link_role": worded(roles[:rows], DEVICE_LINK_ROLES)})


def _share_together(weights: list[float]) -> float:
    """The share of parties that live with others, by the weights of households of 1, 2, 3 … parties."""
    parties = [size * weight for size, weight in enumerate(weights, 1)]
    return 1.0 - parties[0] / sum(parties)


S4_DEVICES = State(
    "S4_devices",
    (PARTY_BASE.output_id, PARTY_SUMMARY.output_id, ACCOUNT_BASE.output_id, INSTRUMENT_BASE.output_id),
    (DEVICE_BASE, DEVICE_LINKS),
    make_devices,
    party_parts,
    prepare_devices,
)
