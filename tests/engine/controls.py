"""The provocations, each on a stock app: what is done to it, and what can be seen of it from outside."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from engine.bench import Bench, Seen, StockWorker

#: how long a worker that shows life may do nothing before that counts as hung; on a quiet machine it starts within 5 s
HUNG_S = 30.0
SETTLED_S = 60.0
PAYMENTS = 600


def recovery_swallows(bench: Bench) -> Seen:
    """One record of a table's changelog cannot be decoded when the worker starts again."""
    payments, sums = bench.topic("payments"), bench.topic("sums")
    bench.send(payments, [("k", 1)] * 20)
    first = bench.start("totals")
    bench.expect(lambda: first.said("Worker ready"))  # asking for offsets before the broker has any ends confluent-kafka in a segfault
    bench.expect(lambda: bench.committed(payments) == {0: 20})
    assert first.stop() == 0
    bench.send(f"{bench.app_id}-totals-changelog", [("k", b"{not json")])
    bench.send(payments, [("k", 1)] * 5)
    second = bench.start("totals")
    bench.expect(lambda: second.said("Restoring state from changelog topics") or not second.alive)
    went_on = bench.came(lambda: len(bench.read(sums)) == 25 or not second.alive, HUNG_S)
    warned = second.said("Error in recovery")
    return Seen(not went_on and second.alive, f"alive={second.alive}, went on={went_on}, a warning logged={warned}")


def agent_dies(bench: Bench) -> Seen:
    """One payment of ten makes the agent raise."""
    payments, decisions = bench.topic("payments"), bench.topic("decisions")
    worker = bench.start("agent_raises")
    bench.expect(lambda: worker.said("Worker ready"))
    bench.send(payments, [(None, amount) for amount in (1, 2, 3, 4, 0, 6, 7, 8, 9, 10)])
    passed = bench.came(lambda: bench.committed(payments) == {0: 10}, HUNG_S)
    decided = sorted(value["amount"] for value in bench.values(decisions))
    lost = passed and worker.alive and 0 not in decided
    return Seen(lost, f"alive={worker.alive}, committed past the failed payment={passed}, decided={decided}")


def left_out(bench: Bench) -> Seen:
    """A module with an agent fails to import."""
    payments, decisions, audit = (bench.topic(name) for name in ("payments", "decisions", "audit"))
    worker = bench.start("left_out")
    bench.send(payments, [(None, 1)] * 5)
    bench.expect(lambda: worker.said("Worker ready") or not worker.alive)
    decided = bench.came(lambda: bench.committed(payments) == {0: 5} or not worker.alive, HUNG_S)
    audited = bench.came(lambda: len(bench.read(audit)) > 0, 5)
    warned = worker.said("ledger_of_the_bank")
    return Seen(
        worker.alive and decided and not audited,
        f"alive={worker.alive}, decided={len(bench.read(decisions))}, audited={len(bench.read(audit))}, a warning logged={warned}",
    )


def changelog_send_fails(bench: Bench) -> Seen:
    """The broker refuses the changelog's records for a while; then the worker starts again."""
    payments, sums = bench.topic("payments"), bench.topic("sums")
    changelog = bench.topic("totals-changelog", cleanup_policy="compact")
    worker = bench.start("totals")
    bench.expect(lambda: worker.said("Worker ready"))
    bench.send(payments, [("k", 1)] * 5)
    bench.expect(lambda: bench.committed(payments) == {0: 5})
    bench.alter(changelog, max_message_bytes="50")
    bench.send(payments, [("k", 1)] * 5)
    committed = bench.came(lambda: bench.committed(payments) == {0: 10}, HUNG_S)
    alive, kept = worker.alive, len(bench.read(changelog))
    worker.stop()
    bench.alter(changelog, max_message_bytes="1048588")
    bench.send(payments, [("k", 1)])
    bench.start("totals")
    bench.expect(lambda: bench.committed(payments) == {0: 11})
    total = max((value["offset"], value["sum"]) for value in bench.values(sums))[1]
    return Seen(
        committed and alive and total != 11,
        f"alive={alive}, committed while sends failed={committed}, changelog records of 10 payments={kept}, sum after 11 of 1={total}",
    )


def exactly_once(bench: Bench) -> Seen:
    """Exactly-once processing with a table; the worker is killed within a transaction and started again."""
    payments, sums = bench.topic("payments"), bench.topic("sums")
    _send_payments(bench, payments)
    first = bench.start("totals", STOCK_GUARANTEE="exactly_once")
    bench.expect(lambda: bench.ends(sums)[0] > PAYMENTS // 4)
    first.kill()
    second = bench.start("totals", STOCK_GUARANTEE="exactly_once")
    bench.expect(lambda: second.said("Starting...") or not second.alive)
    return _settled(bench, second, payments, sums)


def restarted(bench: Bench) -> Seen:
    """SIGTERM while the worker works on a backlog, and a start: nothing was killed, nothing else happened."""
    payments, sums = bench.topic("payments"), bench.topic("sums")
    _send_payments(bench, payments)
    first = bench.start("totals")
    bench.expect(lambda: bench.ends(sums)[0] > PAYMENTS // 4)
    first.stop()
    return _settled(bench, bench.start("totals"), payments, sums)


def two_rebalances(bench: Bench) -> Seen:
    """A second worker joins and leaves twice while payments come."""
    payments, sums = bench.topic("payments", 2), bench.topic("sums")
    worker = bench.start("totals", STOCK_PARTITIONS="2")
    bench.expect(lambda: worker.said("Worker ready"))
    for _ in range(2):
        _send_payments(bench, payments, PAYMENTS // 4)
        other = bench.start("totals", STOCK_PARTITIONS="2")
        bench.expect(lambda at=other: at.said("Worker ready"))  # type: ignore[misc]
        _send_payments(bench, payments, PAYMENTS // 4)
        other.stop()
    return _settled(bench, worker, payments, sums)


def full_buffer(bench: Bench) -> Seen:
    """The same backlog, fetched 100 at a time, with a stream buffer of 10 payments and with Faust's own 4096; pauses of 0.9 s or more."""
    found = {}
    for size in ("10", "4096"):
        payments, sums = bench.topic(f"b{size}-payments"), bench.topic(f"b{size}-sums")
        _send_payments(bench, payments)
        worker = bench.start("totals", STOCK_BUFFER=size, STOCK_POLL="100", STOCK_ID=f"{bench.app_id}-b{size}")
        bench.expect(lambda at=sums: bench.ends(at)[0] == PAYMENTS)  # type: ignore[misc]
        worker.stop()
        times = sorted(message.timestamp()[1] / 1_000 for message in bench.read(sums))
        pauses = sum(after - before >= 0.9 for before, after in pairwise(times))
        found[size] = (pauses, round(PAYMENTS / (times[-1] - times[0])))
    what = "; ".join(f"buffer of {size}: {pauses} pauses, {rate} payments/s" for size, (pauses, rate) in found.items())
    return Seen(found["10"][0] > found["4096"][0] + 1, what)


def _send_payments(bench: Bench, topic: str, count: int = PAYMENTS) -> None:
    """Payments of 1 over ten keys."""
    bench.send(topic, [(f"k{number % 10}", 1) for number in range(count)])


def _settled(bench: Bench, worker: StockWorker, payments: str, sums: str) -> Seen:
    """Every payment should be summed once and committed; what of that came true."""
    ends = bench.ends(payments)
    committed = bench.came(lambda: bench.committed(payments) == ends or not worker.alive, SETTLED_S)
    found = bench.values(sums)
    counts = Counter((value["partition"], value["offset"]) for value in found)
    lost, twice = sum(ends.values()) - len(counts), sum(count > 1 for count in counts.values())
    latest: dict[str, int] = {}
    for value in found:
        latest[value["key"]] = value["sum"]
    total = sum(latest.values())
    return Seen(
        not committed or bool(lost or twice) or total != sum(ends.values()),
        f"alive={worker.alive}, committed to the end={committed} ({bench.committed(payments)} of {ends}), "
        f"payments without output={lost}, repeated={twice}, sum of totals={total} of {sum(ends.values())}",
    )


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        exactly_once, recovery_swallows, restarted, two_rebalances, agent_dies, left_out, full_buffer, changelog_send_fails,
    )
}  # fmt: skip
