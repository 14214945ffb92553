"""Documents: what people write in YAML and CSV, and what runs keep in JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
from fuzz.engine import Target, refusal
from oracles.examples import examples
from records import PINS

from assay.agents.rule_plan import compile_rules
from assay.app.governance import KEY as GOVERNANCE
from assay.app.governance import events
from assay.app.oracle.mapping import parse_mapping
from assay.app.run.directory import Run, RunConfig
from assay.app.runner.documents import PLAN, read_kept, read_status
from assay.app.runner.record import Record
from assay.app.simulation.log import MemoryStore
from assay.app.stores.segment_journal import HEAD, read_head
from assay.app.streamer.checkpoint import Checkpoint, Cursor
from assay.app.streamer.lanes import ALONE
from assay.app.streamer.ready_ledger import ReadyLedger, ledger_key
from assay.contracts import topics
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.json_schema import fault_of, names, schema
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document
from assay.tables.feature_plan import compile_plan

ROOT: Final = Path(topics.__file__).parent
RUN: Final = "5" * 32
#: files of lines that a run keeps
LINES: Final = (ledger_key(RUN), GOVERNANCE)


def meet_yaml(text: bytes) -> Any:
    """Topics, features, rules, mappings: every reader takes a document or names what is wrong with it."""
    ended: list[Any] = []
    for read in (_features, _rules, _topic, lambda given: parse_mapping(given, "here")):
        try:
            ended.append(type(read(text)).__name__)
        except Stop as refused:
            ended.append(refusal(refused))
    return repr(ended)


def _features(text: bytes) -> Any:
    return compile_plan(read_document(text, Reason.FEATURE_DOCUMENT_INVALID, "here"))


@cache
def _handbook() -> Any:
    return _features((ROOT / "policies" / "handbook" / "features.yaml").read_bytes())


def _rules(text: bytes) -> Any:
    return compile_rules(read_document(text, Reason.RULES_DOCUMENT_INVALID, "here"), _handbook())


def _topic(text: bytes) -> Any:
    path = _folder() / "fp.bus.audit.v1.yaml"
    path.write_bytes(text)
    return topics.read(path)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz"))


def _yaml_seeds() -> list[bytes]:
    mappings = Path(str(parse_mapping.__code__.co_filename)).parent / "mappings"
    return [path.read_bytes() for folder in (ROOT, mappings) for path in sorted(folder.rglob("*.yaml"))]


def meet_schema(text: bytes) -> Any:
    """A value that our schemas accept is accepted by the plain library too, and the words for a fault stay short."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "no JSON"
    found = {name: fault_of(name, value) for name in names()}
    for name, fault in found.items():
        if fault is None:
            assert _plain(name).is_valid(value)
        else:
            assert len(fault.what) < 400
    return tuple(str(fault)[:40] for fault in found.values())


@cache
def _plain(name: str) -> Any:
    return jsonschema.Draft202012Validator(schema(name))


def meet_kept(text: bytes) -> Any:
    """What a run keeps: checkpoint, ledger, head of the audit chain and its own file, damaged in its store."""
    store = MemoryStore()
    for key in (
        f"wsp/checkpoints/{RUN}.json",
        f"sr/run_status/{RUN}.json",
        f"sr/run_record/{RUN}/000000.json",
        PLAN.key(RUN),
        HEAD,
        *LINES,
    ):
        store.replace(key, text)
    (_folder() / "run.json").write_bytes(text)
    ended: list[Any] = []
    reads: tuple[Callable[[], Any], ...] = (
        lambda: Checkpoint(store, RUN, "scope").load(9),
        lambda: read_status(store, RUN),
        lambda: read_kept(store, PLAN, RUN),
        lambda: Record(store, RUN).read_on(),
        lambda: read_head(store),
        lambda: ReadyLedger(store, ALONE, lambda: 1).rows(RUN),
        lambda: events(store),
        lambda: Run.load(_folder()),
    )
    for read in reads:
        try:
            ended.append(type(read()).__name__)
        except Stop as refused:
            ended.append(refusal(refused))
    return repr(ended)


def _kept_status() -> Any:
    return next(one.value for one in examples("sr_run_status") if one.reason is None)


def _kept_seeds() -> list[bytes]:
    store = MemoryStore()
    Checkpoint(store, RUN, "scope").save(Cursor(3))
    Record(store, RUN).append("RUN_ACCEPTED", {"a": 1}, 1)
    config = RunConfig.model_validate({**PINS.as_json(), "run_id": RUN, "features": {}, "policy": {}})
    run = Run(directory=_folder(), config=config, namespace="t.", bootstrap="b", dsn="d", api_key="k")
    found = [store.read(key) for prefix in ("wsp", "sr") for key in store.keys(prefix)]
    lines = [canonical(one.value) + b"\n" for name in ("wsp_ready_run", "governance_event") for one in examples(name) if one.reason is None]
    return [*found, *lines, json.dumps(_kept_status()).encode(), b'{"sequence":1,"sha256":"ab"}', run.model_dump_json().encode()]


TARGETS: Final = (
    Target("yaml", _yaml_seeds, meet_yaml, 4, text=True),
    Target("json_schema", lambda: [json.dumps(e.value).encode() for e in examples()], meet_schema, 16, text=True, document=True),
    Target("kept", _kept_seeds, meet_kept, 40, text=True, document=True),
)
