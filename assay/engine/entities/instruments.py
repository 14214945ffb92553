"""S3: cards, bank account numbers and tokens of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities import guards
from assay.engine.entities.counts import Table, draw_counts, table_of
from assay.engine.entities.documents import Instruments
from assay.engine.entities.frames import Floats, Ints, by_part, choices, codes, numbers, starts
from assay.engine.entities.instruments_kernel import draw_instruments
from assay.engine.entities.outputs import ACCOUNT_BASE, INSTRUMENT_BASE, INSTRUMENT_LINKS
from assay.engine.entities.vocabulary import ACCOUNT_TYPES, DOMESTIC, INSTRUMENT_TYPES, REGIONS, SCHEMES
from assay.engine.output import worded
from assay.engine.scenario import parties_of, party_parts
from assay.engine.segment import Scene, State


@dataclass(frozen=True)
class InstrumentLaws:
    """Counts by account type, choices of types and schemes; accounts and instruments before each part."""

    table: Table
    types: Floats
    schemes: Floats
    accounts: Ints
    instruments: Ints


def prepare_instruments(scene: Scene) -> InstrumentLaws:
    """Tables, and how many instruments each part has: ids of a part begin after those before it."""
    document = scene.parameters.of(Instruments)
    table = table_of([document.laws[name].running() for name in ACCOUNT_TYPES])
    accounts: list[int] = []
    instruments: list[int] = []
    for rows in by_part(scene, ACCOUNT_BASE.output_id, ["account_type"]):
        counts = np.empty(len(rows), np.int64)
        instruments.append(draw_counts(scene.key("count"), sum(accounts), codes(rows, "account_type"), table, counts))
        accounts.append(len(rows))
    mixes = [mix for name in ACCOUNT_TYPES for mix in (document.types[name].first, document.types[name].further)]
    rails = [
        document.domestic_schemes[region] if kind == DOMESTIC else document.schemes.get(name, {})
        for region in REGIONS
        for kind, name in enumerate(INSTRUMENT_TYPES)
    ]
    return InstrumentLaws(table, choices(mixes, INSTRUMENT_TYPES), choices(rails, SCHEMES), starts(accounts), starts(instruments))


def make_instruments(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The instruments of the accounts of a part."""
    laws: InstrumentLaws = scene.prepared
    accounts = scene.table(ACCOUNT_BASE.output_id, part, ["account_id", "owner_party_id", "account_type", "region_id"])
    first = int(laws.accounts[part])
    kinds, regions, counts = codes(accounts, "account_type"), codes(accounts, "region_id"), np.empty(len(accounts), np.int64)
    total = draw_counts(scene.key("count"), first, kinds, laws.table, counts)
    document = scene.parameters.of(Instruments)
    guards.owners(accounts, *parties_of(scene.parameters, part), INSTRUMENT_BASE.output_id)
    guards.at_most("instrument cap", "account_id", counts, document.instruments_per_account_max, first + 1, INSTRUMENT_BASE.output_id)
    account, types, schemes = np.empty(total, np.int64), np.empty(total, np.uint8), np.empty(total, np.uint8)
    counts = frozen(counts, np.int64)
    draw_instruments(
        *(scene.key("instrument"), first, counts, kinds, regions, laws.types, len(INSTRUMENT_TYPES)),
        *(laws.schemes, len(SCHEMES), account, types, schemes),
    )
    made = pl.DataFrame(
        {
            "instrument_id": np.arange(total) + laws.instruments[part] + 1,
            "account_id": account + first + 1,
            "owner_party_id": numbers(accounts, "owner_party_id")[account],
            "instrument_type": worded(types, INSTRUMENT_TYPES),
            "scheme": worded(schemes, SCHEMES),
        }
    )
    return {INSTRUMENT_BASE.output_id: made, INSTRUMENT_LINKS.output_id: made.drop("owner_party_id")}


S3 = State("S3", (ACCOUNT_BASE.output_id,), (INSTRUMENT_BASE, INSTRUMENT_LINKS), make_instruments, party_parts, prepare_instruments)
