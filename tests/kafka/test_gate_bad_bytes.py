"""More than ten thousand damaged requests to a running gate: it stays up, and every item it took is accounted for."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from fuzz.mutations import damaged, redrawn
from gate_events import event, raw
from gate_process import KEY, GateProcess, mark, run_in

from assay.app.gate.border import items_of
from assay.app.substrate import Server
from assay.contracts.errors import Quarantine

SEED = 20_261_121
REQUESTS = 11_500
BAD_MIN = 10_000
BATCHES, GOOD_EACH, BAD_EACH = 60, 10, 10
CONNECTIONS = 48
#: a client that is not answered in this time hangs up; nothing is judged by it
PATIENCE_S = 0.15
#: what a gate may hold on to after all of it: its caches, and the group of items under way
GROWTH_KB_MAX = 128 << 10
PATHS = ("/v1/ingest/batch", "/v1/ingest/push", "/v1/ingest/marks", "/v1/payments", "/healthz", "/v1/nothing")


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    process = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    yield process
    process.kill()


def request(path: str, body: bytes, *headers: str, method: str = "POST", framing: str | None = None) -> bytes:
    """A call as it goes over the wire; the connection ends with it."""
    framing = f"Content-Length: {len(body)}" if framing is None else framing
    head = [f"{method} {path} HTTP/1.1", "Host: gate", f"X-IG-Api-Key: {KEY}", "Connection: close", framing, *headers]
    return "\r\n".join([*filter(None, head), "", ""]).encode() + body


def chunked(body: bytes) -> bytes:
    """A body in two chunks."""
    half = len(body) // 2
    parts = (body[:half], body[half:], b"")
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)


def wrong_requests(rng: Random) -> Iterator[bytes]:
    """Calls that are wrong by themselves, and good ones with damage anywhere: in the request line, a length, a header, the body."""
    batch = raw([event("damaged-1"), event("damaged-2", "context_fact")])
    good = [
        request("/v1/ingest/batch", batch),
        request("/v1/ingest/batch", chunked(batch), framing="Transfer-Encoding: chunked"),
        request("/v1/ingest/push", raw(event("damaged-3"))),
        request("/v1/ingest/marks", raw(mark("1970-01-01T00:00:00.000000Z", classes=["context"]))),
        request("/v1/payments", raw({"amount_minor": 1, "currency": "EUR", "entities": {}, "event_id": "damaged-4"})),
    ]
    while True:
        path, body = rng.choice(PATHS), rng.choice((b"", b"{}", b"[]", b"[" * 3_000, b"\x1f\x8b\x08\0", batch[:99]))
        yield rng.choice(
            (
                request(path, body, framing=f"Content-Length: {rng.choice((-1, 10**30, 'x', '0x10', '', len(body) + 1, 1))}"),
                request(path, body, f"Content-Length: {len(body) + 1}"),
                request(
                    path,
                    rng.choice((b"zz\r\n", b"-1\r\n", b"ffffffffffffffff\r\nx", b"5;a=b\r\nab", b"")),
                    framing="Transfer-Encoding: chunked",
                ),
                request(path, body, "Transfer-Encoding: chunked"),
                request(path, body, f"X-A: {'x' * rng.choice((8_000, 9_000, 60_000))}"),
                request(path, body, *(f"X-{n}: {n}" for n in range(300))),
                request(path, body, "Content-Encoding: gzip"),
                request(path, body, method=rng.choice(("GET", "PUT", "BREW", "", "POST POST"))),
                request(path, body).replace(KEY.encode(), rng.choice((b"", b"wrong", b"\xff", b"\0"))),
                request(path, body).replace(b"HTTP/1.1", rng.choice((b"HTTP/9.9", b"HTTP/1.0", b"", b"SIP/2.0"))),
                good[3] + rng.randbytes(40),
                request("/healthz", b"", method="GET").replace(b"Connection: close\r\n", b"") * rng.choice((2, 30)) + b"GET",
                rng.randbytes(rng.choice((1, 60, 5_000))),
                *(damaged(known, good, rng, text=bool(rng.getrandbits(1))) for known in good),
            )
        )


async def sent(port: int, data: bytes) -> int:
    """The status of the first answer; 0 when the gate hung up or did not answer while we waited."""
    answer = b""
    with suppress(OSError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(data)
                answer = await reader.read(64)
        finally:
            writer.close()
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else 0


async def bombard(port: int, requests: Sequence[bytes]) -> Counter[int]:
    """All of them, many at a time; how often each status came."""
    waiting = iter(requests)

    async def client() -> list[int]:
        return [await sent(port, data) for data in waiting]

    return Counter(status for statuses in await asyncio.gather(*(client() for _ in range(CONNECTIONS))) for status in statuses)


def mixed(rng: Random) -> Iterator[tuple[list[str], bytes]]:
    """Ids of good items, and a batch of them among items that are redrawn; the batch as a whole is JSON."""
    examples = [raw(event(f"bad-{i}", kind)) for i in range(5) for kind in ("transaction", "context_fact", "label_assertion")]
    for n in range(BATCHES):
        ids = [f"good-{n}-{i}" for i in range(GOOD_EACH)]
        items = [raw(event(name)) for name in ids]
        while len(items) < GOOD_EACH + BAD_EACH:
            bad = redrawn(rng.choice(examples), rng)
            with suppress(Quarantine):  # what is no JSON refuses its whole call
                items += items_of(b"[" + bad + b"]", 1)
        rng.shuffle(items)
        yield ids, b"[" + b",".join(items) + b"]"


def memory_kb(gate: GateProcess) -> int:
    """Resident memory of the gate's process."""
    status = Path(f"/proc/{gate.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


@pytest.mark.long
def test_bad_bytes_over_the_socket_lose_nothing_and_stop_nothing(gate: GateProcess) -> None:
    rng = Random(SEED)
    port, wrong = int(gate.url.rpartition(":")[2]), wrong_requests(rng)
    batches = list(mixed(rng))
    answered: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    settled_kb = 0
    for n, (ids, body) in enumerate(batches):
        statuses += asyncio.run(bombard(port, [next(wrong) for _ in range(-(-REQUESTS // BATCHES))]))
        status, answer = gate.post("/v1/ingest/batch", body)
        assert status == 200, answer
        decisions = {told["event_id"]: told["admission"] for told in answer["results"]}
        assert {decisions[name] for name in ids} == {"ADMIT"}
        assert sum(answer["counts"].values()) == GOOD_EACH + BAD_EACH
        answered.update(answer["counts"])
        settled_kb = memory_kb(gate) if n == BATCHES // 4 else settled_kb
    assert sum(times for status, times in statuses.items() if status != 200) >= BAD_MIN, statuses
    assert {400, 401, 404, 405} <= set(statuses)
    assert 500 not in statuses, statuses
    assert answered["QUARANTINE"] > BATCHES
    assert memory_kb(gate) - settled_kb < GROWTH_KB_MAX
    assert gate.get("/healthz")[1]["state"] in ("GREEN", "AMBER")  # so many refused items are a spike
    decided = {
        word: float(count) for word, count in re.findall(r'assay_gate_decisions_total\{decision="(\w+)"\} (\S+)', gate.get("/metrics")[1])
    }
    assert gate.stop() == 0
    receipts = list(gate.receipts())
    assert Counter(receipt["decision"] for receipt in receipts) == {word: count for word, count in decided.items() if count}
    assert len(list(gate.receipts("quarantine"))) == decided["QUARANTINE"] >= answered["QUARANTINE"]
    admitted = Counter(receipt["event_id"] for receipt in receipts if receipt["decision"] == "ADMIT")
    handles = ("FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1", "FP_BUS_LABELS_EVENTS_V1")
    assert sum((gate.event_ids(handle) for handle in handles), Counter()) == admitted
    assert {name: admitted[name] for ids, _ in batches for name in ids} == dict.fromkeys((name for ids, _ in batches for name in ids), 1)
