"""Checks of segment 6A over whole tables, part by part; all are required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from assay.engine.entities.documents import Accounts, Addresses, Corridor, Devices, Instruments, Parties
from assay.engine.entities.frames import Ints, by_part, numbers
from assay.engine.entities.outputs import (
    ACCOUNT_BASE,
    ACCOUNT_ROLES,
    DEVICE_BASE,
    DEVICE_LINKS,
    DEVICE_ROLES,
    INSTRUMENT_BASE,
    IP_BASE,
    IP_LINKS,
    MERCHANT_ROLES,
    PARTY_ROLES,
    PARTY_SUMMARY,
)
from assay.engine.entities.role_document import Roles
from assay.engine.entities.vocabulary import ACCOUNT_ROLES as ACCOUNT_WORDS
from assay.engine.entities.vocabulary import DEVICE_ROLES as DEVICE_WORDS
from assay.engine.entities.vocabulary import MERCHANT_ROLES as MERCHANT_WORDS
from assay.engine.entities.vocabulary import PARTY_ROLES as PARTY_WORDS
from assay.engine.entities.vocabulary import PARTY_TYPES
from assay.engine.output import Output
from assay.engine.scenario import Scale
from assay.engine.segment import Check, Scene, Verdict

_RISKY = {
    "party": (PARTY_ROLES, PARTY_WORDS[0]),
    "account": (ACCOUNT_ROLES, ACCOUNT_WORDS[0]),
    "device": (DEVICE_ROLES, DEVICE_WORDS[0]),
}


def within(measured: Mapping[str, float], corridors: Mapping[Any, Corridor]) -> Verdict:
    """Passed if each measured value lies in its corridor."""
    bounds = {f"{name} {side}": bound for name in measured for side, bound in zip(("least", "most"), corridors[name], strict=True)}
    return Verdict(all(corridors[name][0] <= value <= corridors[name][1] for name, value in measured.items()), measured, bounds)


def widened(corridor: Corridor, rows: int) -> Corridor:
    """A corridor of a share, wider by four standard deviations of the share of so many rows: a small world is not at fault for its size."""
    least, most = corridor
    return least - 4 * np.sqrt(least * (1 - least) / rows), most + 4 * np.sqrt(most * (1 - most) / rows)


def party_types(scene: Scene) -> Verdict:
    """Shares of parties by type."""
    rows = scene.table(PARTY_SUMMARY.output_id, 0, ["party_type", "party_count"])
    total = int(rows["party_count"].sum())
    shares = {name: int(rows.filter(pl.col("party_type") == name)["party_count"].sum()) / total for name in PARTY_TYPES}
    return within(shares, scene.parameters.of(Parties).corridors)


def ratios(scene: Scene) -> Verdict:
    """Accounts per party, instruments per account, devices per party."""
    parties = scene.parameters.of(Scale).parties
    accounts, instruments, devices = (
        sum(len(rows) for rows in by_part(scene, output.output_id, [output.keys[0]]))
        for output in (ACCOUNT_BASE, INSTRUMENT_BASE, DEVICE_BASE)
    )
    measured = {
        "accounts per party": accounts / parties,
        "instruments per account": instruments / max(accounts, 1),
        "devices per party": devices / parties,
    }
    corridors = (
        scene.parameters.of(Accounts).accounts_per_party,
        scene.parameters.of(Instruments).instruments_per_account,
        scene.parameters.of(Devices).devices_per_party,
    )
    return within(measured, dict(zip(measured, corridors, strict=True)))


def device_use(scene: Scene) -> Verdict:
    """Devices that a party owns or shares, over all parts."""
    counts = _counted(scene, DEVICE_LINKS, "party_id", scene.parameters.of(Scale).parties)
    return within(
        {"devices of a party": int(counts.max())}, {"devices of a party": (1, scene.parameters.of(Devices).devices_per_party_max)}
    )


def address_degree(scene: Scene) -> Verdict:
    """Devices of an address: the largest count and the 99th percentile; the share of residential addresses."""
    document = scene.parameters.of(Addresses)
    addresses = scene.table(IP_BASE.output_id, 0, ["ip_type"])
    counts = np.sort(_counted(scene, IP_LINKS, "ip_id", len(addresses)))
    measured = {
        "devices of an address": int(counts[-1]),
        "p99 of devices of an address": int(counts[-(-99 * len(counts) // 100) - 1]),
        "residential share": int((addresses["ip_type"] == "RESIDENTIAL").sum()) / len(addresses),
    }
    residential = widened(document.residential_share, len(addresses))
    corridors = ((1, document.devices_per_address_max), (1, document.devices_per_address_p99_max), residential)
    return within(measured, dict(zip(measured, corridors, strict=True)))


def risky_shares(scene: Scene) -> Verdict:
    """Shares of parties, accounts, devices and merchants with a risky role."""
    measured = {}
    for entity, (output, clean) in _RISKY.items():
        column = f"fraud_role_{entity}"
        found = [(int((rows[column] != clean).sum()), len(rows)) for rows in by_part(scene, output.output_id, [column])]
        measured[entity] = sum(risky for risky, _ in found) / max(sum(rows for _, rows in found), 1)
    merchants = scene.table(MERCHANT_ROLES.output_id, 0, ["fraud_role_merchant"])
    measured["merchant"] = int((merchants["fraud_role_merchant"] != MERCHANT_WORDS[0]).sum()) / max(len(merchants), 1)
    return within(measured, scene.parameters.of(Roles).corridors)


def _rows(scene: Scene, output: Output) -> int:
    return sum(len(rows) for rows in by_part(scene, output.output_id, [output.keys[0]]))


def _counted(scene: Scene, output: Output, column: str, entities: int) -> Ints:
    counts = np.zeros(entities, np.int64)
    for rows in by_part(scene, output.output_id, [column]):
        ids = numbers(rows, column)
        if len(ids):
            begin = int(ids.min())
            found = np.bincount(ids - begin)
            counts[begin - 1 : begin - 1 + len(found)] += found
    return counts


CHECKS = (
    Check("party types", (PARTY_SUMMARY.output_id,), party_types),
    Check("ratios", (ACCOUNT_BASE.output_id, INSTRUMENT_BASE.output_id, DEVICE_BASE.output_id), ratios),
    Check("devices of a party", (DEVICE_LINKS.output_id,), device_use),
    Check("addresses", (IP_BASE.output_id, IP_LINKS.output_id), address_degree),
    Check("risky shares", (PARTY_ROLES.output_id, ACCOUNT_ROLES.output_id, DEVICE_ROLES.output_id, MERCHANT_ROLES.output_id), risky_shares),
)
