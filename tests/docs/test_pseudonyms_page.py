"""The page about tokens works as it stands there, on a run that `assay up` keeps; the report of such a run is green, and tells no id."""

from __future__ import annotations

from pathlib import Path

import pytest
from fenced_blocks import Step, differs, run, steps
from live_pages import live
from source_tree import ROOT

from assay.app.substrate import Server

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

PAGE = (ROOT / "docs" / "pseudonyms.md").read_text(encoding="utf-8")
GATE, OPTION, SEEN = "http://127.0.0.1:8080", "--pseudonymise customer", "anna-4711"


@pytest.mark.long
def test_every_command_of_the_page_works_as_it_says(tmp_path: Path, kafka: Server, dsn: str) -> None:
    with live(tmp_path, kafka.address, dsn, *OPTION.split(), IG_VAULT_KEY="k" * 64) as (variables, gate):
        todo = [Step(step.script.replace(GATE, gate), step.output, step.needs_servers) for step in steps(PAGE)]
        waiting = 'until curl -sf "$GATE/v1/decisions/pay-1" -H "X-IG-Api-Key: $KEY" > decided; do :; done\n'
        todo = [step._replace(script=step.script.replace("sleep 5\n", waiting)) for step in todo]
        printed = run(todo, tmp_path, variables)
    assert GATE in PAGE
    assert OPTION in PAGE
    for step, output in zip(todo, printed, strict=True):
        assert step.output is None or differs(step.output, output) is None, output
    kept = [path for path in (tmp_path / "home" / "runs").rglob("*") if path.is_file()]
    assert [path for path in kept if SEEN.encode() in path.read_bytes()] == []
