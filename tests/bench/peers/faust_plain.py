"""Workload W as Faust's own documentation would have it: records, tables, one event at a time, one send per event.

`python -m bench.peers.faust_plain BOOTSTRAP GROUP INPUT OUTPUT DIRECTORY WEB_PORT`. Windows are buckets in
the values of five tables (memory store, changelog topics), because Faust's windowed tables keep wall time and cannot be
read before the event. Values are those of the lane, in the order of its feature document.
"""

from __future__ import annotations

import sys
from typing import Any

import faust

#: name, bucket width in µs, buckets in the window
WINDOWS = (("1h", 300_000_000, 12), ("24h", 3_600_000_000, 24), ("7d", 21_600_000_000, 28))
KEYS = ("account", "card", "merchant", "device", "ip")
DAY_RESOLUTION, DAY_BUCKETS = WINDOWS[1][1], WINDOWS[1][2]


class Payment(faust.Record, serializer="json"):
    """One event."""

    event_id: str
    ts_us: int
    amount_minor: int
    account: str
    card: str
    device: str
    ip: str
    merchant: str


class Decision(faust.Record, serializer="json"):
    """Feature values in document order, score and outcome."""

    event_id: str
    values: list[int]
    score: int
    outcome: str


def new_state() -> dict[str, Any]:
    """What is kept of one key: per window its latest bucket and its cells [count, sum], and the latest time."""
    return {"last": None, "rings": [[None, {}] for _ in WINDOWS], "merchants": {}, "pruned": None}


def fold(state: dict[str, Any], ts_us: int, amount: int) -> list[int]:
    """The seven values of a key before the payment; then the payment is added."""
    values: list[int] = []
    for (_, width, buckets), ring in zip(WINDOWS, state["rings"], strict=True):
        bucket = ts_us // width
        if ring[0] is None or bucket > ring[0]:
            ring[0] = bucket
            ring[1] = {at: cell for at, cell in ring[1].items() if int(at) > bucket - buckets}
        cells = ring[1]
        values += [sum(cell[0] for cell in cells.values()), sum(cell[1] for cell in cells.values())]
        if bucket > ring[0] - buckets:
            cell = cells.setdefault(str(bucket), [0, 0])
            cell[0] += 1
            cell[1] += amount
    values.append(-1 if state["last"] is None else max(ts_us - state["last"], 0))
    state["last"] = ts_us if state["last"] is None else max(state["last"], ts_us)
    return values


def distinct(state: dict[str, Any], merchant: str, ts_us: int) -> int:
    """Merchants the account paid in 24 h before the payment; then its merchant is noted. The account's ring has moved already."""
    latest = state["rings"][1][0]
    if latest != state["pruned"]:
        state["pruned"] = latest
        state["merchants"] = {name: at for name, at in state["merchants"].items() if at > latest - DAY_BUCKETS}
    merchants = state["merchants"]
    found = len(merchants)
    bucket = ts_us // DAY_RESOLUTION
    if bucket > latest - DAY_BUCKETS:
        merchants[merchant] = max(merchants.get(merchant, bucket), bucket)
    return found


def score(values: list[int], amount: int) -> tuple[int, str]:
    """The six rules of the workload's policy. `values` has seven per key, in the order of KEYS, and the distinct merchants."""
    account, card, device, ip = values[0:7], values[7:14], values[21:28], values[28:35]
    points = 30 * (card[0] >= 6) + 25 * (card[1] > 200_000) + 20 * (values[35] >= 8) + 10 * (device[6] == -1) + 15 * (ip[0] > 40)
    if account[5] > 0 and float(amount) * float(account[4]) > 5.0 * float(account[5]):
        points += 25
    return points, "QUEUE_REVIEW" if points >= 60 else "STEP_UP" if points >= 30 else "ALLOW"


def build(bootstrap: str, group: str, source: str, target: str, directory: str, web_port: int) -> faust.App:
    """The app with its one agent; everything else is as Faust comes."""
    app = faust.App(group, broker=f"kafka://{bootstrap}", store="memory://", datadir=directory, web_port=web_port, autodiscover=False)
    payments = app.topic(source, key_type=bytes, value_type=Payment)
    decisions = app.topic(target, key_type=str, value_type=Decision)
    tables = {name: app.Table(f"{name}_state", default=new_state, partitions=1) for name in KEYS}

    @app.agent(payments)
    async def decide(stream: Any) -> None:
        async for payment in stream:
            values: list[int] = []
            found = 0
            for name in KEYS:
                key = getattr(payment, name)
                state = tables[name][key]
                values += fold(state, payment.ts_us, payment.amount_minor)
                if name == "account":
                    found = distinct(state, payment.merchant, payment.ts_us)
                tables[name][key] = state
            values.append(found)
            points, outcome = score(values, payment.amount_minor)
            await decisions.send(key=payment.account, value=Decision(payment.event_id, values, points, outcome))

    return app


if __name__ == "__main__":
    _bootstrap, _group, _source, _target, _directory, _web_port = sys.argv[1:7]
    _app = build(_bootstrap, _group, _source, _target, _directory, web_port=int(_web_port))
    _app.Worker(loglevel="warn", quiet=True).execute_from_commandline()
