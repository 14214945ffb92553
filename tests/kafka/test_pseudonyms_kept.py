"""Behind a real gate that pseudonymises, no declared id stands anywhere; an erased one comes back as a new subject."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from assay_command import Ended, assay
from fed_bank import Bank
from gate_events import event, paid, raw
from gate_process import KEY, GateProcess, run_in
from said_ready import say_ready
from topic_records import PAYMENTS, record, value_of

from assay.app.bus.topic_reader import read_records
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.app.substrate import Server
from assay.app.substrate.postgres import start_postgres
from assay.contracts.errors import AssayError
from assay.contracts.topics import topics
from assay.testing import until

SECRET = "of the vault, for tests only " * 2
VARIABLES = {"IG_VAULT_KEY": SECRET}
SEEN = "id-in-clear-4711"
TRAFFIC = "FP_BUS_TRAFFIC_FRAUD_V1"


def run_with_tokens(folder: Path, kafka: str, dsn: str, namespace: str) -> Run:
    """A run that replaces ids of customers and cards."""
    made = run_in(folder / "run", kafka, dsn, namespace, ready=False)
    config = made.config.model_copy(update={"pseudonymise": ("card", "customer"), "ordering": "arrival"})
    run = made.model_copy(update={"config": config})
    run.save()
    say_ready(run)
    return run


@pytest.fixture
def run(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_with_tokens(tmp_path, kafka.address, dsn, namespace)


@pytest.fixture
def gate(run: Run) -> Iterator[GateProcess]:
    process = GateProcess(run, variables=VARIABLES)
    yield process
    process.kill()


def payment(event_id: str, customer: str = SEEN, **changes: Any) -> dict[str, Any]:
    return event(event_id, payload=paid(entities={"customer": customer, "terminal": "t-1"}), **changes)


def vault(run: Run, verb: str, *ids: str, entity: str = "customer") -> Ended:
    file = run.directory.parent / "ids.txt"
    file.write_text("\n".join(ids))
    ended = assay("gate", "vault", verb, "--run", run.directory, "--entity", entity, "--id-file", file, IG_VAULT_KEY=SECRET)
    file.unlink()
    return ended


def on_bus(run: Run) -> dict[str, list[bytes]]:
    """Topic → keys and values, as bytes."""
    found: dict[str, list[bytes]] = {}
    for handle in topics():
        try:
            records = list(read_records(run.bootstrap, handle, run.namespace))
        except AssayError:  # a topic that this run does not have
            continue
        found[handle] = [bytes(part or b"") for one in records for part in (one.key, one.value)]
    return found


def in_database(dsn: str) -> bytes:
    with psycopg.connect(dsn) as connection:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        tables = [row[0] for row in connection.execute(query).fetchall()]
        rows = [connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables]
    return repr(rows).encode()


def test_a_declared_id_stands_nowhere(
    tmp_path: Path, kafka: Server, dsn: str, namespace: str, run: Run, gate: GateProcess, make_topic: Callable[..., str]
) -> None:
    short = {"amount_minor": 1, "currency": "EUR", "entities": {"customer": SEEN, "terminal": "t-1"}}
    answers = [
        gate.batch(
            [payment("e-1"), payment("e-1"), payment("e-1", SEEN + "x"), event("f-1", "context_fact", {"entities": {"card": SEEN}})]
        ),
        gate.post("/v1/payments", short),
        gate.post("/v1/payments", [short, {**short, "amount_minor": "x"}, {**short, "customer": SEEN}]),
        gate.post("/v1/decide", {**short, "event_id": "e-2"}),
        gate.batch([payment("e-3", seed=8), payment("e-4", f" {SEEN}"), event("e-5", customer=SEEN), event("e-6", payload=[SEEN])]),
        gate.post("/v1/ingest/push", raw({"customer": SEEN})[:-1] + b"}"),
        gate.post("/v1/labels", {"payment": "e-1", "label": "FRAUD"}),
        gate.get("/v1/decisions/e-1", KEY),
        gate.get("/v1/ops/lookup?event_id=e-4", KEY),
    ]
    assert [answer[0] for answer in answers] == [200, 202, 200, 200, 200, 422, 201, 404, 200]
    assert answers[0][1]["counts"] == {"ADMIT": 2, "DUPLICATE": 1, "QUARANTINE": 1}
    wired = run.model_copy(update={"gate_url": gate.url})
    wired.save()
    topic, bank = make_topic("ids"), Feeding(tmp_path, kafka.address, wired)
    bank.write(
        topic, value_of(record(1, who={"customer": SEEN})), value_of(record(2, who={"customer": SEEN}, amount="much")), b"{" + SEEN.encode()
    )
    fed = bank.feed(topic)
    assert "set aside 2" in fed[1], fed
    told = [vault(run, "show", SEEN), vault(run, "erase", SEEN)]
    assert [one.code for one in told] == [0, 0], told
    assert gate.stop() == 0
    kept = [path.read_bytes() for path in run.directory.rglob("*") if path.is_file()]
    everything = b"\n".join(
        [repr(answers).encode(), repr(fed).encode(), repr(told).encode(), gate.rest().encode(), in_database(dsn), *kept]
        + [value for values in on_bus(run).values() for value in values]
    )
    forms = (SEEN, base64.b64encode(SEEN.encode()).decode()[:-4], hashlib.sha256(SEEN.encode()).hexdigest(), SECRET)
    assert [form for form in forms if form.encode() in everything] == []
    assert b"tok-" in everything


def test_an_erased_id_is_a_new_subject_and_nothing_old_changes(run: Run, gate: GateProcess) -> None:
    assert gate.batch([payment("e-1"), payment("e-2")])[1]["counts"] == {"ADMIT": 2}
    (first,) = {token_of(one) for one in gate.on_bus(TRAFFIC)}
    assert vault(run, "show", SEEN).out.startswith(f"id 1: {first} since ")
    before = on_bus(run)[TRAFFIC]
    erased = vault(run, "erase", SEEN, "never-seen")
    assert (erased.code, "id 1: erased now, at " in erased.out, "id 2: unknown" in erased.out) == (66, True, True), erased
    assert "VAULT_SUBJECT_UNKNOWN: the vault does not know 1 of 2 ids as customer (at id 2)" in erased.err
    assert SEEN not in erased.text
    again = vault(run, "erase", SEEN)
    assert (again.code, "erased before, at " in again.out) == (0, True)
    assert on_bus(run)[TRAFFIC] == before, "decisions are computed again from the same bytes"
    _, answer = gate.batch([payment("e-1"), payment("e-3")])
    assert [one.get("error") for one in answer["results"]] == ["PAYLOAD_HASH_MISMATCH", None]
    tokens = {one[3]["event_id"]: token_of(one) for one in gate.on_bus(TRAFFIC)}
    assert tokens["e-1"] == tokens["e-2"] == first
    assert tokens["e-3"] != first
    shown = vault(run, "show", SEEN)
    assert (tokens["e-3"] in shown.out, "an earlier subject of this id was erased" in shown.out) == (True, True)


def test_the_same_payment_again_is_a_duplicate_also_for_a_gate_that_starts_again(run: Run, gate: GateProcess) -> None:
    assert gate.batch([payment("e-1")])[1]["counts"] == {"ADMIT": 1}
    assert gate.batch([payment("e-1")])[1]["counts"] == {"DUPLICATE": 1}
    assert gate.stop() == 0
    later = GateProcess(run, variables=VARIABLES)
    try:
        assert later.batch([payment("e-1")])[1]["counts"] == {"DUPLICATE": 1}
    finally:
        later.kill()


def test_the_processes_of_a_gate_agree_on_tokens_and_all_see_an_erasure(run: Run) -> None:
    gate = GateProcess(run, options=["--processes", "2"], variables=VARIABLES)
    people = [f"{SEEN}-{number}" for number in range(12)]

    def post(first: int) -> dict[str, int]:
        events = [payment(f"e-{first + number}", person) for number, person in enumerate(people)]
        return dict(gate.batch(events)[1]["counts"])

    def tokens(first: int, last: int) -> dict[str, set[str]]:
        """Person → tokens, of the events in this range."""
        found: dict[str, set[str]] = {}
        for one in gate.on_bus(TRAFFIC):
            number = int(one[3]["event_id"].removeprefix("e-"))
            if first <= number < last:
                found.setdefault(people[number % 100], set()).add(token_of(one))
        return found

    try:
        with ThreadPoolExecutor(8) as callers:
            assert list(callers.map(post, range(0, 1600, 100))) == [{"ADMIT": 12}] * 16
            assert vault(run, "erase", people[0]).code == 0
            assert list(callers.map(post, range(1600, 3200, 100))) == [{"ADMIT": 12}] * 16
    finally:
        gate.stop()
    before, after = tokens(0, 1600), tokens(1600, 3200)
    assert {len(found) for found in (*before.values(), *after.values())} == {1}
    assert [person for person in people if before[person] != after[person]] == people[:1]


def test_a_gate_without_the_key_of_the_vault_does_not_serve(run: Run, gate: GateProcess) -> None:
    assert gate.batch([payment("e-1")])[1]["counts"] == {"ADMIT": 1}
    assert gate.stop() == 0
    serve = ("gate", "serve", "--run", run.directory, "--port", "0")
    missing = assay(*serve)
    assert (missing.code, missing.err.split(":")[1].strip()) == (66, "VAULT_KEY_MISSING"), missing
    wrong = assay(*serve, IG_VAULT_KEY="another secret, and as long as it must be")
    assert (wrong.code, "VAULT_KEY_WRONG" in wrong.err) == (70, True), wrong
    assert SECRET not in missing.text + wrong.text


def test_while_the_vault_is_away_nothing_is_published(tmp_path: Path, kafka: Server, settings: Settings, namespace: str) -> None:
    with start_postgres(tmp_path / "postgres", settings) as server:
        run = run_with_tokens(tmp_path, kafka.address, server.address, namespace)
        gate = GateProcess(run, variables=VARIABLES)
        try:
            assert until(lambda: gate.batch([payment("e-1")])[1].get("counts"), 60) == {"ADMIT": 1}
            server.kill()
            status, answer = gate.batch([payment("e-2"), payment("e-3", "somebody new")])
            assert (status, answer["error"]) == (503, "INDEX_UNAVAILABLE")
            assert set(gate.event_ids()) == {"e-1"}
            server.restart()
            counts = until(lambda: gate.batch([payment("e-1"), payment("e-2")])[1].get("counts"), 60)
            assert counts == {"ADMIT": 1, "DUPLICATE": 1}
            assert len({token_of(one) for one in gate.on_bus(TRAFFIC)}) == 1
        finally:
            gate.kill()


def token_of(on_topic: tuple[int, int, str, dict[str, Any]]) -> str:
    """The customer's token of a record."""
    (found,) = (pair["id"] for pair in on_topic[3]["entities"] if pair["name"] == "customer")
    assert found.startswith("tok-")
    return str(found)


class Feeding(Bank):
    """A topic that is fed to a gate which serves already."""

    def __init__(self, folder: Path, kafka: str, run: Run) -> None:
        self.run, self.folder, self.kafka = run, folder, kafka
        self.mapping(PAYMENTS)
