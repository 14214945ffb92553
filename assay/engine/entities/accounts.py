"""S2: what parties hold, and from that their accounts, so that both always agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities import guards
from assay.engine.entities.accounts_kernel import draw_holdings, expand_holdings
from assay.engine.entities.counts import Table, table_of
from assay.engine.entities.documents import Accounts
from assay.engine.entities.frames import Ints, by_part, codes, numbers, starts
from assay.engine.entities.outputs import ACCOUNT_BASE, HOLDINGS, PARTY_BASE
from assay.engine.entities.vocabulary import ACCOUNT_TYPES, PARTY_TYPES, SEGMENTS, party_type_of
from assay.engine.output import worded
from assay.engine.parameters import Parameters
from assay.engine.scenario import parties_of, party_parts
from assay.engine.segment import Scene, State

_PARTY_COLUMNS = ("party_type", "segment_id", "region_id", "country_iso")


@dataclass(frozen=True)
class HoldingLaws:
    """A law for each segment and account type; the first account type of each party type, and the end."""

    table: Table
    bounds: Ints
    most: int


def holding_laws(parameters: Parameters) -> HoldingLaws:
    """Laws of the counts, with the factors of segments."""
    document = parameters.of(Accounts)
    rows = [document.law(name).running(document.factors.get(segment, {}).get(name, "1")) for segment in SEGMENTS for name in ACCOUNT_TYPES]
    kinds = [party_type_of(name) for name in ACCOUNT_TYPES]
    bounds = np.searchsorted(kinds, np.arange(len(PARTY_TYPES) + 1))
    return HoldingLaws(table_of(rows), frozen(bounds, np.int64), int(np.diff(bounds).max()))


def prepare_holdings(scene: Scene) -> HoldingLaws:
    """Tables of the laws."""
    return holding_laws(scene.parameters)


def make_holdings(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """How many accounts of each type the parties of a part hold."""
    laws: HoldingLaws = scene.prepared
    first, last = parties_of(scene.parameters, part)
    parties = scene.table(PARTY_BASE.output_id, part, ["party_id", *_PARTY_COLUMNS])
    guards.party_meta(parties, first, last, HOLDINGS.output_id)
    room = len(parties) * laws.most
    owners, types, counts = np.empty(room, np.int64), np.empty(room, np.uint8), np.empty(room, np.int64)
    kinds, segments = codes(parties, "party_type"), codes(parties, "segment_id")
    rows = draw_holdings(scene.key("holdings"), first, kinds, segments, laws.bounds, laws.table, owners, types, counts)
    made = pl.DataFrame(
        {
            "owner_party_id": owners[:rows],
            "account_type": worded(types[:rows], ACCOUNT_TYPES),
            "account_count": counts[:rows],
        }
    )
    guards.allocations(made, HOLDINGS.output_id)
    guards.account_caps(made, scene.parameters.of(Accounts), HOLDINGS.output_id)
    return {HOLDINGS.output_id: made}


def prepare_accounts(scene: Scene) -> Ints:
    """Accounts before each part."""
    return starts([int(rows["account_count"].sum()) for rows in by_part(scene, HOLDINGS.output_id, ["account_count"])])


def make_accounts(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The accounts of a part: its holdings, written out."""
    first, _ = parties_of(scene.parameters, part)
    holdings = scene.table(HOLDINGS.output_id, part, ["owner_party_id", "account_type", "account_count"])
    parties = scene.table(PARTY_BASE.output_id, part, list(_PARTY_COLUMNS))
    guards.owners(holdings, first, first + len(parties), ACCOUNT_BASE.output_id)
    counts = numbers(holdings, "account_count")
    rows = int(counts.sum())
    party, types = np.empty(rows, np.int64), np.empty(rows, np.uint8)
    expand_holdings(first + 1, numbers(holdings, "owner_party_id"), codes(holdings, "account_type"), counts, party, types)
    made = pl.DataFrame(
        {
            "account_id": np.arange(rows) + scene.prepared[part] + 1,
            "owner_party_id": party + first + 1,
            "account_type": worded(types, ACCOUNT_TYPES),
        }
    ).hstack(parties[party])
    guards.holdings_are_accounts(made, holdings, ACCOUNT_BASE.output_id)
    return {ACCOUNT_BASE.output_id: made}


S2_HOLDINGS = State("S2_holdings", (PARTY_BASE.output_id,), (HOLDINGS,), make_holdings, party_parts, prepare_holdings)
S2 = State("S2", (HOLDINGS.output_id, PARTY_BASE.output_id), (ACCOUNT_BASE,), make_accounts, party_parts, prepare_accounts)
