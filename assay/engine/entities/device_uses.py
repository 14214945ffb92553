"""S4: which account and which wallet token an owner uses on a device."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities.devices_kernel import draw_uses
from assay.engine.entities.documents import Devices
from assay.engine.entities.frames import Codes, codes, numbers
from assay.engine.entities.outputs import ACCOUNT_BASE, INSTRUMENT_BASE
from assay.engine.entities.vocabulary import DEVICE_TYPES, INSTRUMENT_TYPES, WALLET_DEVICE_TOKEN
from assay.engine.scenario import parties_of
from assay.engine.segment import Scene


def with_uses(scene: Scene, part: int, links: pl.DataFrame, types: Codes, devices_before: int) -> pl.DataFrame:
    """Device links with account and instrument; both are empty where the owner uses none, and for other users."""
    document = scene.parameters.of(Devices)
    first, last = parties_of(scene.parameters, part)
    accounts = scene.table(ACCOUNT_BASE.output_id, part, ["account_id", "owner_party_id"])
    begin = int(accounts["account_id"][0]) - 1 if len(accounts) else 0
    account_starts = np.searchsorted(numbers(accounts, "owner_party_id"), np.arange(first + 1, last + 2)) + begin
    tokens = scene.table(INSTRUMENT_BASE.output_id, part, ["instrument_id", "account_id", "owner_party_id", "instrument_type"])
    tokens = tokens.filter(pl.col("instrument_type") == INSTRUMENT_TYPES[WALLET_DEVICE_TOKEN])
    used, held = np.empty(len(links), np.int64), np.empty(len(links), np.int64)
    draw_uses(
        *(scene.key("use"), first, numbers(links, "device_id"), numbers(links, "party_id"), codes(links, "link_role"), devices_before),
        *(frozen(types, np.uint8), frozen(account_starts, np.int64)),
        frozen(np.array([document.banking[name] for name in DEVICE_TYPES]), np.float64),
        frozen(np.array([name in document.wallets for name in DEVICE_TYPES]), np.int64),
        *(numbers(tokens, "owner_party_id"), numbers(tokens, "instrument_id"), numbers(tokens, "account_id"), used, held),
    )
    return links.with_columns(
        pl.Series("account_id", used).replace(0, None),
        pl.Series("instrument_id", held).replace(0, None),
    )
