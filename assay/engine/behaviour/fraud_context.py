"""Entities and sessions of the fraud world's arrivals, of its own rows alone: whoever reads them learns nothing of the baseline.

A session is the payments of one party through one device and one address, each at most the time-out after the one before. Sessions
of the baseline are that, too. So a payment of a campaign through a crew's device begins a session of its own, and one through the
party's own device joins the party's session, as a bank would see it. An id is a bijection of the first payment's flow id.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import Int, frozen, kernel
from assay.engine.behaviour.arrival_entities import SECOND_US
from assay.engine.behaviour.channels import mixed
from assay.engine.behaviour.clientele import grouped
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.merchants import places
from assay.engine.behaviour.outputs import FRAUD_ENTITIES
from assay.engine.segment import Scene


def arrival_entities(scene: Scene, flows: pl.DataFrame) -> pl.DataFrame:
    """Rows of FRAUD_ENTITIES for the overlaid flows of a part, by merchant and time: an overlaid row lies where its time puts it."""
    party, device, ip, flow_id = (frozen(flows[name].to_numpy(), np.int64) for name in ("party_id", "device_id", "ip_id", "flow_id"))
    ts = frozen(flows["ts_utc"].to_physical().to_numpy(), np.int64)
    by_time = np.argsort(ts, kind="stable")
    by_party = _grouped(by_time, party, int(party.max(initial=0)) + 1)
    session = np.empty(len(ts), np.int64)
    timeout_us = scene.parameters.of(Behaviour).trips.timeout_s * SECOND_US
    name_sessions(scene.key("session"), by_party, (party, device, ip), ts, flow_id, timeout_us, session)
    merchants = flows["merchant_id"].unique().sort().to_numpy()
    order = _grouped(by_time, places(merchants, flows["merchant_id"].to_numpy()), len(merchants))
    names = [column.name for column in FRAUD_ENTITIES.columns]
    return flows.with_columns(session_id=pl.Series(session)).select(names)[order]


def _grouped(order: NDArray[np.int64], group: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    out = np.empty_like(order)
    grouped(order, group, np.zeros(groups + 1, np.int64), out)
    return out


@kernel
def name_sessions(key: Any, order: Any, entities: Any, ts: Any, flow_id: Any, timeout: Int, session: Any) -> None:
    """Fill `session`. order: rows by (party, time). entities: party, device, address. ts, timeout: microseconds.

    Two sessions of a party may overlap in time: one is found by looking back over the party's payments within the time-out.
    """
    party, device, ip = entities
    for i in range(len(order)):
        row = order[i]
        session[row] = mixed(flow_id[row], key)
        for back in range(i - 1, -1, -1):
            before = order[back]
            if party[before] != party[row] or ts[row] - ts[before] > timeout:
                break
            if device[before] == device[row] and ip[before] == ip[row]:
                session[row] = session[before]
                break
