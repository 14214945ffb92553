"""A bank's own topic through a real gate: real Kafka, real kills, and every event once."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from assay_command import assay
from confluent_kafka import Producer
from effort import WHOLE
from fed_bank import Bank
from reasons_met import seen
from topic_records import LABELS, record, value_of

from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.offsets import bounds_of
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.testing import until

TRAFFIC, LABELS_TOPIC = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_LABELS_EVENTS_V1"


@pytest.fixture
def bank(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[Bank]:
    made = Bank(tmp_path, kafka.address, dsn, namespace)
    yield made
    made.gate.kill()


def ids(bank: Bank) -> list[str]:
    return sorted(bank.gate.event_ids().elements())


def test_a_topic_is_fed_up_to_its_end_and_goes_on_there(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic = make_topic("payments", 3)
    for partition in range(3):
        bank.write(topic, *(value_of(record(n, id=f"{partition}-{n}")) for n in range(50)), partition=partition)
    bank.write(topic, None, b"", b"{", value_of(record(1, entities={}, who={"customer": "c1"}, terminal=...)))
    code, told = bank.feed(topic)
    assert (code, "read 154 of 154; gate: ADMIT 151, QUARANTINE 2" in told) == (0, True), told
    assert "set aside 2, left out by 'filter' 0, tombstones 1" in told
    assert bank.feed(topic)[1].count("read 0 of 0") == 1
    bank.write(topic, value_of(record(9, id="later")))
    assert "ADMIT 1" in bank.feed(topic)[1]
    assert ids(bank) == sorted([*(f"{p}-{n}" for p in range(3) for n in range(50)), "p1", "later"])
    shown = assay("connect", "refused", "--run", str(bank.run.directory))
    assert shown.code == 1
    assert shown.out.splitlines()[0].startswith(f"{topic}-0@51: RECORD_UNREADABLE: the value is empty (at value).")
    lines = assay("connect", "refused", "--run", str(bank.run.directory), "--topic", topic, "--json").out.splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [51, 52]


def test_labels_of_a_topic_follow_their_payments(bank: Bank, make_topic: Callable[..., str]) -> None:
    payments, disputes = make_topic("payments"), make_topic("disputes")
    bank.write(payments, *(value_of(record(n)) for n in range(3)))
    bank.feed(payments)
    bank.mapping(LABELS)
    told = 1_750_000_000_000
    bank.write(disputes, *(value_of({"payment": p, "told": told, "status": s}) for p, s in (("p1", "lost"), ("p9", "lost"), ("p2", "won"))))
    code, said = bank.feed(disputes)
    assert (code, "ADMIT 2, QUARANTINE 1" in said) == (0, True), said
    assert bank.gate.event_ids(LABELS_TOPIC).total() == 2
    assert "LABEL_SUBJECT_UNKNOWN" in seen(assay("connect", "refused", "--run", str(bank.run.directory)).out)


def test_avro_values_of_a_registry_are_fed(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic = make_topic("avro")
    schema: dict[str, Any] = {
        "type": "record",
        "name": "P",
        "fields": [{"name": name, "type": "string"} for name in ("id", "at", "terminal", "channel")]
        + [{"name": "amount", "type": "double"}, {"name": "who", "type": {"type": "map", "values": "string"}}],
    }
    (bank.folder / "p.avsc").write_text(json.dumps(schema))

    def written(number: int) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record(number))
        return b"\0\0\0\0\7" + out.getvalue()

    bank.write(topic, *(written(n) for n in range(4)), b"\0\0\0\0\1x")
    code, told = bank.feed(topic, "--schema", f"7={bank.folder / 'p.avsc'}")
    assert (code, "ADMIT 4, QUARANTINE 1" in told) == (0, True), told
    assert ids(bank) == ["p0", "p1", "p2", "p3"]


def test_only_what_a_transaction_committed_is_fed(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic = make_topic("transactions")
    producer = Producer({"bootstrap.servers": bank.kafka, "transactional.id": topic})
    producer.init_transactions(30)
    for number, ends in enumerate((producer.commit_transaction, producer.abort_transaction, producer.commit_transaction)):
        producer.begin_transaction()
        for one in range(3):
            producer.produce(topic, value_of(record(one, id=f"{number}-{one}")))
        ends(30)
    code, told = bank.feed(topic)
    assert (code, ids(bank)) == (0, [f"{number}-{one}" for number in (0, 2) for one in range(3)]), told
    assert "ADMIT 6; calls" in told
    producer.begin_transaction()
    producer.produce(topic, value_of(record(1, id="open")))
    producer.flush(30)
    assert "nothing sent" in bank.feed(topic)[1]
    producer.abort_transaction(30)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_kills_at_any_time_lose_nothing_and_do_nothing_twice(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic, wanted = make_topic("killed", 3), []
    for partition in range(3):
        values = [b"{" if n % 97 == 5 else value_of(record(n, id=f"{partition}-{n}")) for n in range(4_000)]
        bank.write(topic, *values, partition=partition)
        wanted += [f"{partition}-{n}" for n in range(4_000) if n % 97 != 5]
    chance = random.Random(7)
    for _ in range(6 if WHOLE else 2):
        killed_at(bank, bank.start(topic, "--batch", "200", "--refused-max", "0"), published(bank) + chance.randint(1, 1_800))
    code, told = bank.feed(topic, "--batch", "200", "--refused-max", "0")
    assert code == 0, told
    assert ids(bank) == sorted(wanted)
    lines = assay("connect", "refused", "--run", str(bank.run.directory), "--json").out.splitlines()
    places = [(json.loads(line)["partition"], json.loads(line)["offset"]) for line in lines]
    assert places == sorted((p, n) for p in range(3) for n in range(4_000) if n % 97 == 5)
    in_order(bank, 3)


def published(bank: Bank) -> int:
    """How many payments lie on the run's topic."""
    return sum(end for _, end in bounds_of(bank.kafka, TRAFFIC, bank.run.namespace).values())


def killed_at(bank: Bank, process: subprocess.Popen[bytes], payments: int) -> None:
    """Kill a process when so many payments are published, or when it has nothing more to do."""
    until(lambda: published(bank) >= min(payments, 11_700) or process.poll() is not None, 60)
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def in_order(bank: Bank, partitions: int) -> None:
    """Payments of one customer lie on one partition of the run's topic: those of one partition of the bank's are in its order there."""
    found: dict[tuple[int, str], list[int]] = {}
    for on, _, _, one in bank.gate.on_bus(TRAFFIC):
        partition, _, number = one["event_id"].partition("-")
        found.setdefault((on, partition), []).append(int(number))
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert len({partition for _, partition in found}) == partitions


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_signal_finishes_what_was_taken(bank: Bank, make_topic: Callable[..., str], number: int) -> None:
    topic = make_topic("signalled")
    bank.write(topic, *(value_of(record(n)) for n in range(20)))
    process = bank.start(topic)
    until(lambda: bank.gate.event_ids().total() == 20 or process.poll() is not None, 60)
    process.send_signal(number)
    told = seen(process.communicate(timeout=60)[0].decode())
    assert process.returncode == 130, told
    assert "interrupted; the same command resumes" in told
    assert "read 0 of 0" in bank.feed(topic)[1]


@pytest.mark.long
def test_records_that_retention_took_away_are_missed_loudly(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic, admin = make_topic("lost"), KafkaAdmin(bank.kafka)
    bank.write(topic, *(value_of(record(n)) for n in range(5)))
    bank.feed(topic)
    bank.write(topic, *(value_of(record(n)) for n in range(5, 10)))
    admin.delete_records(topic, 0, 8)
    code, told = bank.feed(topic)
    assert code == 70
    assert f"INPUT_OFFSET_LOST: the run goes on at offset 5 of {topic}-0, and the topic holds 8 to 10: 3 records may be gone" in told
    admin.delete([topic])
    until(lambda: topic not in admin.partitions(), 30)
    code, told = bank.feed(topic)
    assert (code, "TOPIC_UNKNOWN" in told) == (66, True), told
    make_topic("lost")
    code, told = bank.feed(topic)
    assert (code, "INPUT_OFFSET_LOST" in told, "is not the one that this run began with" in told) == (70, True, True), told


def test_a_topic_that_is_deleted_while_it_is_fed_ends_it(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic = make_topic("deleted")
    bank.write(topic, value_of(record(1)))
    process = bank.start(topic)
    until(lambda: bank.gate.event_ids().total() == 1 or process.poll() is not None, 60)
    KafkaAdmin(bank.kafka).delete([topic])
    told = seen(process.communicate(timeout=60)[0].decode())
    assert (process.returncode, "TOPIC_UNKNOWN" in told) == (66, True), told


def test_calls_that_cannot_work_are_refused_before_anything_is_read(bank: Bank, make_topic: Callable[..., str]) -> None:
    topic = make_topic("refused")
    bank.write(topic, *(value_of(record(n, amount="x")) for n in range(3)))
    assert bank.feed("no.such.topic")[0] == 66
    code, told = bank.feed(topic, "--refused-max", "3")
    assert (code, "RECORDS_REFUSED: 3 records were refused one after the other" in told) == (65, True), told
    holder = bank.start(topic, "--refused-max", "0")
    until(lambda: "DIRECTORY_BUSY" in bank.feed(topic, "--refused-max", "0")[1] or holder.poll() is not None, 60)
    holder.kill()
    holder.wait(30)
    config = bank.run.config
    for changes, code in (({"ordering": "event_time"}, 70), ({"traffic": "fraud"}, 2)):
        bank.run.model_copy(update={"config": config.model_copy(update=changes)}).save()
        assert bank.feed(topic)[0] == code
    assert Run.load(bank.run.directory).config.traffic == "fraud"
