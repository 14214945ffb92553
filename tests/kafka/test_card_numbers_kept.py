"""After a real gate refused card numbers, none stands in clear in its store, its logs or its answers, nor in what a topic set aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fed_bank import Bank
from gate_events import event, paid, raw
from topic_records import record, value_of

from assay.app.substrate import Server

CARDS = ("4111111111111111", "5555 5555 5555 4444", "3782-822463-10005")


def test_a_card_number_stands_nowhere_in_clear(
    tmp_path: Path, kafka: Server, dsn: str, namespace: str, make_topic: Callable[..., str]
) -> None:
    bank = Bank(tmp_path, kafka.address, dsn, namespace)
    answers = []
    for number, card in enumerate(CARDS):
        answers.append(bank.gate.post("/v1/ingest/push", event(f"e-{number}", payload=paid(attributes={"note": card}))))
        answers.append(bank.gate.post("/v1/ingest/batch", [event(card), event(payload=paid(colour=card))]))
        short = {"amount_minor": 1, "currency": "EUR", "entities": {"customer": card}}
        answers += [bank.gate.post("/v1/payments", short), bank.gate.post("/v1/payments", {**short, card: 1})]
        answers.append(bank.gate.post("/v1/labels", {"payment": card, "label": "FRAUD"}))
        answers.append(bank.gate.get(f"/v1/decisions/{card.replace(' ', '%20')}", "a key for tests"))
        answers.append(bank.gate.post("/v1/payments", raw(short)[:-3]))
    assert answers[0][1]["error"] == "PAN_IN_CLEAR"
    topic = make_topic("cards")
    bank.write(topic, *(value_of(record(n, id=f"p{n}", channel=card)) for n, card in enumerate(CARDS)), b"{" + CARDS[0].encode())
    code, told = bank.feed(topic)
    assert (code, "QUARANTINE 4" in told) == (0, True), told
    assert bank.gate.stop() == 0
    kept = [path.read_bytes().decode("latin-1") for path in bank.run.directory.rglob("*") if path.is_file()]
    everything = "\n".join([json.dumps(answers), told, bank.gate.rest(), *kept])
    assert [card for card in CARDS if card in everything] == []
    assert "411111******1111" in everything
