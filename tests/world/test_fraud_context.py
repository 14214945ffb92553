"""6B S3: the live context of the fraud world agrees with its flows and tells no campaign."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from bank_worlds import bank, rows

from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.fraud_context import name_sessions
from assay.engine.behaviour.segment import SEGMENT_6B

CONTEXT, FLOWS, BASELINE = "s3_arrival_entities_with_fraud_6B", "s3_flow_anchor_with_fraud_6B", "s1_arrival_entities_6B"
ARRIVAL, SHARED = ["merchant_id", "arrival_seq"], ["ts_utc", "party_id", "account_id", "instrument_id", "device_id", "ip_id"]
TIMEOUT_US = bank().parameters.of(Behaviour).trips.timeout_s * 1_000_000
US = pl.col("ts_utc").dt.epoch("us")


def judged(context: str = CONTEXT) -> Any:
    """Rows of an output of entities in their order, with the truth about their flows and their columns."""
    flows = rows(FLOWS).select(*ARRIVAL, "fraud_flag", "flow_id", *(pl.col(name).alias(f"{name}_of_flow") for name in SHARED))
    return rows(context).join(flows, on=ARRIVAL, maintain_order="left")


def differing(found: Any) -> Any:
    """What a detector sees that holds context against flows: whether any column differs."""
    return found.select(pl.any_horizontal(pl.col(name) != pl.col(f"{name}_of_flow") for name in SHARED)).to_series()


def separation(values: Any, fraud: Any) -> float:
    """How far a column's order puts fraud from the other rows: the area under the curve of its ranks, over or under one half."""
    ranks = pl.Series(values).rank("average").to_numpy()
    of_fraud, others = ranks[fraud], int((~fraud).sum())
    return float(abs((of_fraud.sum() - len(of_fraud) * (len(of_fraud) + 1) / 2) / (len(of_fraud) * others) - 0.5))


def chance(fraud: Any) -> float:
    """Four standard deviations of `separation` of a column that knows nothing."""
    n, m = int(fraud.sum()), int((~fraud).sum())
    return float(4 * ((n + m + 1) / (12 * n * m)) ** 0.5)


def test_a_detector_of_differences_between_context_and_flows_finds_nothing() -> None:
    found = judged()
    assert len(found) == len(rows(FLOWS)) == len(rows(CONTEXT))
    assert not differing(found).any()
    # the context of the baseline is what the detector would live on
    leak = judged(BASELINE)
    assert leak.filter(differing(leak))["fraud_flag"].all()
    assert leak.filter(leak["fraud_flag"] & ~differing(leak)).is_empty()


def test_no_column_of_the_context_tells_fraud_better_than_the_columns_of_the_flow() -> None:
    found = judged()
    fraud = found["fraud_flag"].to_numpy()
    of_flow = {name: separation(found[name], fraud) for name in (*ARRIVAL, *SHARED)}
    session = found["session_id"].to_numpy()
    told = {
        "id": session,
        "low bits": session % 1024,
        "high bits": session >> 52,
        "distance to the flow's id": session - found["flow_id"].to_numpy(),
    }
    for name, values in told.items():
        assert separation(values, fraud) < chance(fraud) < max(of_flow.values()), name
    first, last = np.quantile(session[~fraud], [0.01, 0.99])
    assert 0.97 < ((session[fraud] > first) & (session[fraud] < last)).mean() < 0.99


def test_rows_of_the_context_lie_in_the_order_of_their_merchants_and_times() -> None:
    for part in range(4):
        found = bank().table(CONTEXT, part).select("merchant_id", "ts_utc", "arrival_seq")
        assert found.select("merchant_id", "ts_utc").equals(found.sort("merchant_id", "ts_utc").select("merchant_id", "ts_utc"))


def test_a_session_is_one_party_device_and_address_until_a_gap() -> None:
    for part in range(4):
        found = bank().table(CONTEXT, part).sort("party_id", "device_id", "ip_id", "ts_utc").with_columns(us=US)
        near = found.select(
            same=pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in ("party_id", "device_id", "ip_id"))
            & (pl.col("us").diff() <= TIMEOUT_US),
            session=pl.col("session_id") == pl.col("session_id").shift(),
        )[1:]
        assert near["same"].equals(near["session"])
        begun = 1 + (~near["same"]).sum()
        assert found["session_id"].n_unique() == begun


def test_sessions_of_customers_that_no_campaign_met_are_those_of_the_baseline() -> None:
    mine, theirs = rows(CONTEXT), rows(BASELINE)
    both = mine.join(theirs.select(*ARRIVAL, base="session_id", was="party_id", came="ts_utc"), on=ARRIVAL)
    touched = both.filter((pl.col("party_id") != pl.col("was")) | (pl.col("ts_utc") != pl.col("came")))
    met = pl.concat([touched["party_id"], touched["was"]]).unique()
    alone = both.filter(~pl.col("party_id").is_in(met.implode()))
    assert len(alone) > 1_000
    assert alone.select("session_id", "base").n_unique() == alone["session_id"].n_unique() == alone["base"].n_unique()


def test_no_id_of_a_session_is_one_of_the_baseline() -> None:
    assert not rows(CONTEXT)["session_id"].is_in(rows(BASELINE)["session_id"].implode()).any()


def test_a_crew_has_sessions_of_its_own_and_a_payment_through_the_own_device_joins_its_owners() -> None:
    found = judged()
    sessions = found.group_by("session_id").agg(pl.col("fraud_flag").mean(), n=pl.len(), devices=pl.col("device_id").n_unique())
    assert (sessions["devices"] == 1).all()
    several = sessions.filter(pl.col("n") > 1)["fraud_flag"]
    assert (several == 1).any() and (several == 0).any()


def test_overlapping_sessions_of_a_party_are_told_apart_by_device_and_address() -> None:
    device = np.array([1, 2, 1, 2, 1, 1])
    ip = np.array([5, 5, 5, 5, 6, 5])
    ts, party = np.array([0, 10, 20, 30, 40, 121]), np.full(6, 3)
    session = np.empty(6, np.int64)
    name_sessions(np.uint64(9), np.arange(6), (party, device, ip), ts, np.arange(100, 106), 100, session)
    assert session[0] == session[2] and session[1] == session[3]
    assert len({*session.tolist()}) == 4  # the fifth has another address, the sixth comes after the time-out


def test_the_context_carries_no_truth_and_streams_behind_the_gate_of_6b() -> None:
    output = next(output for output in SEGMENT_6B.outputs if output.output_id == CONTEXT)
    base = next(output for output in SEGMENT_6B.outputs if output.output_id == BASELINE)
    assert (output.columns, output.keys, output.role, output.tokens) == (base.columns, base.keys, "behavioural_context", base.tokens)
