"""How far a run is, read from outside its processes: rates for people, and the condition that it is done."""

from __future__ import annotations

import io
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from assay.agents.faust_shell.web_guard import is_loopback
from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.bus.topic_reader import read_topic
from assay.app.demo.processes import Kept
from assay.app.gate.receipts import QUARANTINE as QUARANTINE_LINES
from assay.app.gate.receipts import UNKNOWN_ID
from assay.app.metrics import GATE_REFUSED_CALLS
from assay.app.run.directory import Run
from assay.app.stores.objects import ObjectStore
from assay.app.stores.segment_journal import read_head, segment_key
from assay.app.substrate.processes import Server
from assay.codecs.audit_segment import read_segment_header
from assay.codecs.single_object import unpack
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.envelope import EVENT_TYPES
from assay.contracts.exit_codes import BAD_INPUT, MISSING, STOPPED, USAGE
from assay.contracts.handles import LABELS, QUARANTINE, TRAFFIC
from assay.contracts.reasons import Reason

#: nothing moved for this long after the stream ended: the run is as complete as it will be
STALLED_S = 30.0
#: what was admitted is decided and audited well before this, so that the rest can be looked for among what was refused
SETTLED_S = 3.0
LOOK_EVERY_S = 0.5
#: the input of who sends or the gate's answer is wrong, and will be the next time
FINAL_CODES = frozenset({USAGE, BAD_INPUT, MISSING, STOPPED})


class Counts(NamedTuple):
    """Refused records, each once however often it was sent: dead letters by reason, how many payments the gate and the lanes refused,
    and how many labels the lanes refused."""

    by_reason: dict[str, int]
    at_gate: int
    in_lanes: int
    labels_in_lanes: int = 0


def worker_counters(run: Run) -> dict[str, float]:
    """Metric samples of the worker as `name{label value}` → value; empty while it does not answer."""
    return _counters(run, run.worker_url)


def refused_calls(run: Run) -> dict[str, int] | None:
    """Calls that the gate turned away as a whole since it started, by reason; None when it does not answer."""
    counters = _counters(run, run.gate_url)
    prefix = f"{GATE_REFUSED_CALLS.name}{{"
    return {name[len(prefix) : -1]: int(value) for name, value in counters.items() if name.startswith(prefix)} if counters else None


def _counters(run: Run, url: str) -> dict[str, float]:
    try:
        asked = urllib.request.Request(f"{url}/metrics", headers=_key_of(run, url))  # noqa: S310 - our own process
        with urllib.request.urlopen(asked, timeout=2) as answer:  # noqa: S310 - our own process
            text = answer.read().decode()
    except (OSError, ValueError):
        return {}
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {f"{s.name}{{{','.join(s.labels.values())}}}": s.value for s in samples}


def _key_of(run: Run, url: str) -> dict[str, str]:
    """A web view beyond this machine asks for the key, the one that is valid now; on this machine none is asked for."""
    if is_loopback(urlsplit(url).hostname or ""):
        return {}
    return {KEY_HEADER: Run.load(run.directory).api_key}


def audited(run: Run) -> int:
    """Records in the audit chain so far."""
    head = read_head(run.store)
    if head is None:
        return 0
    key = segment_key(head.sequence)
    header = read_segment_header(io.BytesIO(run.store.view(key)), key)
    return int(header["first_audit"]) + int(header["records"])


def dead_letters(run: Run, properties: Mapping[str, str] | None = None) -> Counts:
    """Dead letters of the gate (its quarantine segments) and of the lanes (their topic; `properties` are Kafka's)."""
    chunks = read_topic(run.bootstrap, QUARANTINE, run.namespace, properties)
    letters = (unpack(value or b"")[1] for chunk in chunks for value in chunk.values.tolist())
    return counted(refused_at_gate(run.store), refused_in_lanes(letters))


# the payment whose id another one took is itself decided: a PAYLOAD_HASH_MISMATCH keeps no payment from its decision
class Letter(NamedTuple):
    """A dead letter: what it is known by, why, the payment that is not decided for it (empty for none), and whether it is a label."""

    key: str
    reason: str
    payment: str
    is_label: bool = False


def counted(at_gate: Iterable[Letter], in_lanes: Iterable[Letter]) -> Counts:
    """Letters that say the same of the same thing are one."""
    gate, lanes = set(at_gate), set(in_lanes)
    return Counts(
        dict(Counter(letter.reason for letter in (*gate, *lanes))),
        _payments(gate),
        _payments(lanes),
        sum(letter.is_label for letter in lanes),
    )


def _payments(letters: Iterable[Letter]) -> int:
    return len({letter.payment for letter in letters if letter.payment})


def refused_at_gate(store: ObjectStore) -> Iterator[Letter]:
    """A letter per line of the gate's quarantine: a call that is sent again leaves its lines again, with the same ids.

    Payloads of one event id have letters of their own, and are one payment.
    """
    triggers = {name for name, meaning in EVENT_TYPES.items() if meaning.handle == TRAFFIC}
    for key in store.keys(QUARANTINE_LINES):
        for line in store.read(key).splitlines():
            record = json.loads(line)
            letter, reason = record["quarantine_id"], record["reason_codes"][0]
            known = letter if record["event_id"] == UNKNOWN_ID else record["event_id"]
            yield Letter(letter, reason, known if record["event_type"] in triggers and reason != Reason.PAYLOAD_HASH_MISMATCH else "")


def refused_in_lanes(letters: Iterable[Mapping[str, Any]]) -> Iterator[Letter]:
    """A letter per quarantine record of the lanes, known by its place: after a restart the same record may be refused again."""
    for letter in letters:
        place = f"{letter['topic']}:{letter['partition']}:{letter['offset']}"
        undecided = letter["topic"] == TRAFFIC and letter["reason"] != Reason.PAYLOAD_HASH_MISMATCH
        yield Letter(place, letter["reason"], place if undecided else "", letter["topic"] == LABELS)


class Senders:
    """Processes that end when they have sent everything: such a process is left alone, and any that failed is started again."""

    def __init__(self, processes: Sequence[Server], say: Callable[[str], None]) -> None:
        self._each = [(process, Kept([process], say, final=FINAL_CODES)) for process in processes]

    @property
    def ended(self) -> bool:
        """Whether all have sent everything."""
        return not any(process.alive or process.exit_code for process, _ in self._each)

    def look(self) -> None:
        """Start again what failed. Raises Stop(RUN_INCOMPLETE) when that does not help."""
        for process, kept in self._each:
            if process.exit_code:
                kept.look()

    def progressed(self) -> None:
        """The run got further: what was away is back."""
        for _, kept in self._each:
            kept.progressed()


def until_done(run: Run, rows: int, kept: Kept, streams: Sequence[Server], show: Callable[[int, str], None]) -> None:
    """Return when the streams ended and every row is audited or refused by the gate, or nothing moves any more.

    What ended before its time is started again. Raises Stop(RUN_INCOMPLETE) when that does not help.
    """
    done, moved_at = -1, time.monotonic()
    senders = Senders(streams, kept.say)
    while True:
        kept.look()
        senders.look()
        now_done = audited(run)
        if now_done != done:
            done, moved_at = now_done, time.monotonic()
            kept.progressed()
            senders.progressed()
        lane = TOPOLOGY.with_role(Role.DECIDE).name
        folded = int(worker_counters(run).get(f"assay_lane_rows_total{{{lane},0}}", 0))
        show(done, f"folded {folded:,}")
        ended = senders.ended
        still_s = time.monotonic() - moved_at
        if ended and (done >= rows or still_s > STALLED_S):
            return
        if ended and streams and still_s > SETTLED_S and done + counted(refused_at_gate(run.store), ()).at_gate >= rows:
            return  # the gate seals what it has refused when it rests
        time.sleep(LOOK_EVERY_S)
