"""What is audited is read where the format is known; what was set aside is counted once, however often it was sent and written down."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from gate_events import LABEL, SCOPE, admissible, event, examined, paid
from gate_process import run_in

from assay.app.demo import watch
from assay.app.demo.processes import Kept
from assay.app.demo.watch import STALLED_S, Counts, _key_of, audited, counted, refused_at_gate, refused_in_lanes, until_done
from assay.app.gate.admission import RefusedEvent
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.receipts import QUARANTINE, ReceiptWriter, actor_json, mismatch
from assay.app.gate.segments import SegmentLog
from assay.app.run.keys import rotate
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.segment_journal import HEAD, segment_key
from assay.app.substrate.processes import Launch, Server
from assay.codecs.audit_segment import write_segment
from assay.codecs.columns import Strings
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.testing import until

WRITER = ReceiptWriter(shipped_admission_policy(), Pins.of(SCOPE), {}, bytes(32))
ACTOR = actor_json(OF_RUN_KEY)
FUTURE, NO_ID = event("e-1", ts_utc="2999-01-01T00:00:00.000000Z"), event(event_id=None)
OTHER = mismatch(admissible(event("e-1", payload=paid(amount_minor=9))))


@pytest.mark.parametrize(
    ("posted", "counts"),
    [
        ([], Counts({}, 0, 0)),
        ([FUTURE], Counts({"TIME_IN_FUTURE": 1}, 1, 0)),
        ([FUTURE, FUTURE], Counts({"TIME_IN_FUTURE": 1}, 1, 0)),
        ([FUTURE, OTHER, FUTURE], Counts({"TIME_IN_FUTURE": 1, "PAYLOAD_HASH_MISMATCH": 1}, 1, 0)),
        ([OTHER], Counts({"PAYLOAD_HASH_MISMATCH": 1}, 0, 0)),
        ([FUTURE, {**FUTURE, "payload": paid(amount_minor=9)}], Counts({"TIME_IN_FUTURE": 2}, 1, 0)),
        ([FUTURE, {**FUTURE, "event_id": "e-2"}], Counts({"TIME_IN_FUTURE": 2}, 2, 0)),
        ([NO_ID, NO_ID], Counts({"ENVELOPE_INVALID": 1}, 1, 0)),
        ([NO_ID, {**NO_ID, "seed": 8}], Counts({"ENVELOPE_INVALID": 2}, 2, 0)),
        ([7, b"[", 7], Counts({"ENVELOPE_INVALID": 2}, 0, 0)),
        ([event("l-1", "label_assertion", {**LABEL, "label": "MAYBE"})] * 2, Counts({"SCHEMA_FAIL": 1}, 0, 0)),
    ],
)
def test_an_item_the_gate_refused_counts_once_however_often_it_was_sent(tmp_path: Path, posted: list[Any], counts: Counts) -> None:
    store = DirectoryStore(tmp_path / "store")
    log = SegmentLog(store, QUARANTINE, tmp_path / "spool" / "quarantine.ndjson")
    for number, document in enumerate(posted):
        refused = document if isinstance(document, RefusedEvent) else examined(document)
        assert isinstance(refused, RefusedEvent)
        log.append([WRITER.quarantined(refused, f"2026-01-01T00:00:0{number}.000000Z", ACTOR)[2]])
        log.seal()
    assert counted(refused_at_gate(store), []) == counts
    log.close()


def test_a_dead_letter_of_a_lane_counts_once_by_its_place() -> None:
    traffic, labels = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_LABELS_EVENTS_V1"
    places = [(traffic, 0, 5), (traffic, 1, 5), (traffic, 0, 5), (labels, 0, 5)]
    letters = [{"topic": handle, "partition": partition, "offset": at, "reason": "BYTES_GARBAGE"} for handle, partition, at in places]
    assert counted([], refused_in_lanes(letters)) == Counts({"BYTES_GARBAGE": 3}, 0, 2, 1)


@pytest.mark.parametrize("header_bytes", [0x7A, 0x7B, 0x37B, 0x7B7B, 70_000])
def test_what_is_audited_is_read_from_a_header_of_any_length(tmp_path: Path, header_bytes: int) -> None:
    """0x7B is a brace: a header of 0x37B (891) bytes has it in its length, in front of the header itself."""
    made = run_in(tmp_path, "127.0.0.1:1", "", "", topics=False)
    assert audited(made) == 0
    head = {"sequence": 0, "first_audit": 40, "previous": "0" * 64}
    short = len(canonical(write_segment({**head, "note": ""}, Strings.of([]))[1].header))
    data, segment = write_segment({**head, "note": "x" * max(0, header_bytes - short)}, Strings.of([b"one", b"two"]))
    made.store.create(segment_key(0), data)
    made.store.replace(HEAD, canonical({"sequence": 0, "sha256": segment.digest}))
    assert audited(made) == 42


def test_a_damaged_segment_is_named_by_the_progress_of_a_run(tmp_path: Path) -> None:
    made = run_in(tmp_path, "127.0.0.1:1", "", "", topics=False)
    made.store.create(segment_key(0), b"no segment {")
    made.store.replace(HEAD, canonical({"sequence": 0, "sha256": "0" * 64}))
    with pytest.raises(Stop) as refused:
        audited(made)
    assert (refused.value.reason, refused.value.where) == (Reason.AUDIT_SEGMENT_DAMAGED, segment_key(0))


def test_a_run_whose_payments_were_all_refused_ends_when_its_stream_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SETTLED_S", 0.0)
    made = run_in(tmp_path, "127.0.0.1:1", "", "", topics=False).model_copy(update={"worker_url": "http://127.0.0.1:1"})
    refused = [examined({**FUTURE, "event_id": f"e-{number}"}) for number in range(2)]
    lines = [WRITER.quarantined(one, "2026-01-01T00:00:00.000000Z", ACTOR)[2] for one in refused if isinstance(one, RefusedEvent)]
    made.store.create(f"{QUARANTINE}/seg-000000000000-000002.ndjson", "".join(f"{line}\n" for line in lines).encode())
    launch = Launch([sys.executable, "-c", ""], tmp_path, tmp_path / "stream.log", signal.SIGTERM, 5.0, inherit_environment=True)
    stream = Server("stream", 0, "", launch.log, tmp_path, launch, None).start()
    began = time.monotonic()
    try:
        until_done(made, 2, Kept([], lambda _: None), [stream], lambda done, text: None)
    finally:
        stream.stop()
    assert time.monotonic() - began < STALLED_S


def test_a_sender_that_failed_is_started_again_and_one_that_has_sent_everything_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STALLED_S", 1.0)
    made = run_in(tmp_path, "127.0.0.1:1", "", "", topics=False).model_copy(update={"worker_url": "http://127.0.0.1:1"})
    script = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text() + '1' if p.exists() else '1'); sys.exit({})"
    fails_once = "0 if len(p.read_text()) > 1 else 75"
    senders = []
    for name, code in (("labels", "0"), ("streamer", fails_once)):
        argv = [sys.executable, "-c", script.format(code), str(tmp_path / name)]
        launch = Launch(argv, tmp_path, tmp_path / f"{name}.log", signal.SIGTERM, 5.0, inherit_environment=True)
        senders.append(Server(name, 0, "", launch.log, tmp_path, launch, None).start())
    until(lambda: senders[0].exit_code == 0, 30)
    try:
        until_done(made, 2, Kept([], lambda _: None), senders, lambda done, text: None)
    finally:
        for sender in senders:
            sender.stop()
    assert [(tmp_path / name).read_text() for name in ("labels", "streamer")] == ["1", "11"]


@pytest.mark.parametrize(("url", "asked"), [("http://127.0.0.1:6066", False), ("http://0.0.0.0:6066", True), ("http://worker:6066", True)])
def test_a_web_view_beyond_this_machine_is_asked_with_the_key_that_is_valid_now(tmp_path: Path, url: str, asked: bool) -> None:
    """The demo goes on while somebody rotates the key."""
    run = run_in(tmp_path, "127.0.0.1:1", "", "", topics=False)
    now = rotate(tmp_path).api_key
    assert _key_of(run, url) == ({"X-IG-Api-Key": now} if asked else {})
