"""The walk through a topic of one's own works as it stands there, on a run that `assay up` keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from fenced_blocks import Step, differs, run, steps
from live_pages import live
from source_tree import ROOT

from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.substrate import Server

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

PAGE = (ROOT / "docs" / "connect-kafka.md").read_text(encoding="utf-8")
BUS, TOPIC = "127.0.0.1:9092", "bank.payments"


@pytest.mark.long
def test_every_command_of_the_page_works_as_it_says(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> None:
    topic = f"{namespace}{TOPIC}"
    KafkaAdmin(kafka.address).create([TopicShape(topic, 2)])
    with live(tmp_path, kafka.address, dsn) as (variables, gate):

        def here(text: str) -> str:
            return text.replace(BUS, kafka.address).replace(TOPIC, topic)

        todo = [Step(here(step.script), step.output and here(step.output), step.needs_servers) for step in steps(PAGE)]
        waiting = f'until curl -sf "{gate}/v1/decisions/b-2" -H "X-IG-Api-Key: $(assay key show --run runs/live)" > decided; do :; done\n'
        todo = [step._replace(script=step.script.replace("sleep 5\n", waiting)) for step in todo]
        printed = run(todo, tmp_path, variables)
    assert BUS in PAGE
    for step, output in zip(todo, printed, strict=True):
        assert step.output is None or differs(step.output, output) is None, output
