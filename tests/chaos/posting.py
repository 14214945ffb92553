"""The same payments over HTTP: posted to a real gate, each batch again until it is answered."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
from gate_process import KEY, GateProcess

from assay.app.bench.workload_w import ENTITIES, draw, event_ids
from assay.app.run.directory import Run
from assay.contracts import instants

PAYMENTS_MAX = 100_000
BATCH = 25
TAKEN, AGAIN = 200, (429, 503)
PAUSE_S = 0.1


class Poster(threading.Thread):
    """Posts payments until it is told to stop. `acknowledged` names those the gate took; `refused` counts answers to try again."""

    def __init__(self, run: Run, per_s: int) -> None:
        super().__init__(name="poster", daemon=True)
        self._run, self.per_s, self._over = run, per_s, threading.Event()
        self.gate = GateProcess(run)
        self.sent = 0
        self.acknowledged: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.problems: list[str] = []

    def run(self) -> None:
        began, bodies = time.monotonic(), self._bodies()
        while not self._over.wait(max(0.0, self.sent / self.per_s - (time.monotonic() - began))):
            self._post(next(bodies))

    def stop(self) -> None:
        """No more payments; returns when the last batch is answered for, and the gate has ended."""
        if not self._over.is_set():
            self._over.set()
            self.join(60)
            if self.gate.stop() != 0:
                self.problems.append("the gate ended badly")
            # one that was on disk when its answer failed is there again: a receipt says that, not how often
            admitted = {receipt["event_id"] for receipt in self.gate.receipts() if receipt["decision"] == "ADMIT"}
            if admitted != self.acknowledged:
                self.problems.append(f"{len(self.acknowledged)} payments were answered for, {len(admitted)} have a receipt")

    def _post(self, body: list[dict[str, Any]]) -> None:
        self.sent += len(body)
        while True:
            try:
                status, answer = self.gate.batch(body)
            except OSError as error:
                self.refused[type(error).__name__] += 1
                continue
            if status == TAKEN:
                self.acknowledged.update(one["event_id"] for one in body)
                if sum(answer["counts"].get(name, 0) for name in ("ADMIT", "DUPLICATE")) != len(body):
                    self.problems.append(f"the gate did not admit all of a call: {answer}")
                return
            self.refused[f"{status} {answer.get('error')}"] += 1
            if status not in AGAIN:
                self.problems.append(f"the gate answered {status}: {answer}")
                return
            self._over.wait(PAUSE_S)

    def _bodies(self) -> Iterator[list[dict[str, Any]]]:
        config, payments = self._run.config, draw(PAYMENTS_MAX)
        pins = {**config.pins.as_json(), "run_id": config.run_id, "event_type": "transaction", "schema_version": "v1"}
        for first in range(0, PAYMENTS_MAX, BATCH):
            rows = range(first, first + BATCH)
            yield [
                {
                    **pins,
                    "event_id": hashlib.sha256(name.encode()).hexdigest(),
                    "ts_utc": instants.text(int(payments.ts_us[row])),
                    "payload": {
                        "kind": "purchase",
                        "amount_minor": int(payments.amount_minor[row]),
                        "currency": "EUR",
                        "entities": {entity: f"{entity}{payments.numbers[entity][row]}" for entity in ENTITIES},
                    },
                }
                for row, name in zip(rows, event_ids(first, first + BATCH), strict=True)
            ]


def schema_in(address: str) -> str:
    """The URI of a new schema."""
    schema = f"c{secrets.token_hex(5)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{address}{'&' if '?' in address else '?'}options={quote(f'-csearch_path={schema}')}"


__all__ = ["KEY", "Poster", "schema_in"]
