"""The walk through the gate works as it stands there, and so do the commands of its reference, on a run that `assay up` keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from fenced_blocks import Step, differs, run, steps
from live_pages import live
from source_tree import ROOT

from assay.app.substrate import Server

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

PAGE = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("http.md", "gate.md"))
GATE = "http://127.0.0.1:8080"


def test_every_call_of_the_page_is_answered_as_it_says(tmp_path: Path, kafka: Server, dsn: str) -> None:
    with live(tmp_path, kafka.address, dsn) as (variables, gate):
        todo = [Step(step.script.replace(GATE, gate), step.output, step.needs_servers) for step in steps(PAGE)]
        waiting = 'until curl -sf "$GATE/v1/decisions/pay-1" -H "X-IG-Api-Key: $KEY" > decided; do :; done\n'
        todo = [step._replace(script=step.script.replace("sleep 5\n", waiting)) for step in todo]
        printed = run(todo, tmp_path, variables)
    log = tmp_path / "up.log"
    assert GATE in PAGE
    for step, output in zip(todo, printed, strict=True):
        assert step.output is None or differs(step.output, output) is None, output
    assert f"{gate}/v1/payments" in log.read_text()
    assert f"{gate}/v1/labels" in log.read_text()
