"""Whether a gate is ready for callers, with evidence: it refuses strangers, takes its own key, and bus and store take what it writes.

The record goes to a topic of its own, which no lane reads. So it can be written at any time of a run, as often as somebody asks.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import aiohttp

from assay.agents.components import INGESTION_GATE
from assay.app.bus.one_record import written
from assay.app.gate.health import GateState
from assay.app.run.directory import Run
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.codecs.single_object import pack
from assay.contracts import handles, instants
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.canonical import canonical
from assay.contracts.errors import AssayError, Retry
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

#: the evidence of the last preflight, and what a preflight writes to try the store
READY: Final = "ig/ig_ready.json"
TRIED: Final = "ig/preflight"
RECORD: Final = "gate_preflight"
_WITHIN_S: Final = 10.0
_OK, _UNAUTHORISED = 200, 401
Facts = dict[str, Any]


class Row(NamedTuple):
    """One thing that was tried: what is known of it, or why it failed (empty: it passed)."""

    name: str
    facts: Facts
    fault: str

    @property
    def passed(self) -> bool:
        """Whether it did what a ready gate does."""
        return not self.fault


class Failed(Exception):
    """A row that did not pass, in words."""


def rows(tried: Mapping[str, Callable[[], Facts]]) -> list[Row]:
    """Try each; none keeps the next from being tried."""
    found = list[Row]()
    for name, attempt in tried.items():
        try:
            found.append(Row(name, attempt(), ""))
        except (AssayError, Failed) as error:
            found.append(Row(name, {}, str(error)))
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            found.append(Row(name, {}, f"{type(error).__name__}: {error}"))
    return found


def evidence(found: list[Row], run: Run, gate: str, preflight_id: str, now_us: int) -> Facts:
    """What `ig_ready.json` says."""
    told = [{"name": row.name, "passed": row.passed, "facts": row.facts, "fault": row.fault} for row in found]
    names = {"preflight_id": preflight_id, "platform_run_id": run.platform_run_id, "gate": gate, "checked_at_utc": instants.text(now_us)}
    return {"ready": all(row.passed for row in found), **names, "rows": told}


def keep(told: Facts, store: ObjectStore) -> None:
    """Write the evidence. Raises Retry(GATE_NOT_READY) naming the first row that failed, after it was written."""
    store.replace(READY, json.dumps(told, indent=1, ensure_ascii=False).encode())
    failed = [row for row in told["rows"] if not row["passed"]]
    if failed:
        what = f"{failed[0]['name']}: {failed[0]['fault']}"
        remedy = f"Correct it and try again; {READY} of the run's store has every row."
        raise Retry(Reason.GATE_NOT_READY, what, where=told["gate"], remedy=remedy)


async def strangers(gate: str, tls: ssl.SSLContext | None) -> Facts:
    """Calls without a credential are refused, those that ask and those that post."""
    asked = [("GET", "/v1/ops/health"), ("POST", "/v1/ingest/batch")]
    async with _session(tls) as session:
        for method, path in asked:
            status, body = await _called(session, method, gate + path, {})
            if (status, body.get("error")) != (_UNAUTHORISED, Reason.UNAUTHORISED.value):
                raise Failed(f"{method} {path} without a key is answered with {status}")
    return {f"{method} {path}": _UNAUTHORISED for method, path in asked}


async def known(gate: str, key: str, tls: ssl.SSLContext | None) -> Facts:
    """A call with the run's key is answered, by a gate that can admit."""
    async with _session(tls) as session:
        status, body = await _called(session, "GET", f"{gate}/v1/ops/health", {KEY_HEADER: key})
    if status != _OK:
        raise Failed(f"GET /v1/ops/health with the run's key is answered with {status}: {body.get('error', '')}")
    if body["state"] == GateState.RED:
        raise Failed(f"the gate is RED: {'; '.join(body['reasons'])}")
    return {"state": body["state"], "reasons": body["reasons"]}


def publish(run: Run, properties: Mapping[str, str], preflight_id: str, now_us: int) -> Facts:
    """A record is acknowledged by the broker; where it lies. `properties` are those of the gate's user."""
    handle = handles.GATE_PREFLIGHT
    INGESTION_GATE.check_produces(handle, RECORD)
    record = {"preflight_id": preflight_id, "ts_utc": now_us, "pins": Pins.as_avro(run.config.pins)}
    place, name = topic(handle), topic(handle).name(run.namespace)
    partition, offset = written(run.bootstrap, properties, name, place.key(RECORD, record), pack(RECORD, record), _WITHIN_S)
    return {"topic": name, "partition": partition, "offset": str(offset), "offset_kind": "kafka_offset"}


def write(store: ObjectStore, preflight_id: str) -> Facts:
    """An object is written once, is refused the second time, and reads back as it was written."""
    key, data = f"{TRIED}/{preflight_id}.json", canonical({"preflight_id": preflight_id})
    store.create(key, data)
    try:
        store.create(key, b"another")
    except ObjectExists:
        pass
    else:
        raise Failed(f"the store has replaced {key}, which was written once")
    if store.read(key) != data:
        raise Failed(f"{key} does not read back as it was written")
    return {"object": key, "bytes": len(data)}


def _session(tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=True if tls is None else tls)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=_WITHIN_S))


async def _called(session: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str]) -> tuple[int, Facts]:
    async with session.request(method, url, headers=dict(headers), data=b"[]" if method == "POST" else None) as answer:
        found = json.loads(await answer.read())
        return answer.status, found if isinstance(found, dict) else {}
