"""Before a gate takes calls it has been through the way of every class once, and has told nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_events import NOW_US, SCOPE, raw
from gate_process import run_in

from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.examples import examples_of
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.process import build
from assay.app.gate.run_names import ANY_NAMES, RunNames
from assay.app.gate.warming import warm
from assay.contracts.pins import Pins

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.mark.parametrize("names", [ANY_NAMES, RunNames(("card", "device"), ("JPY",), ("device",))])
def test_every_class_is_taken_once_in_the_names_of_the_run(names: RunNames) -> None:
    examples = examples_of(SCOPE, names.policy_entities, next(iter(names.policy_currencies), "EUR"), NOW_US)
    examiner = Examiner(shipped_admission_policy(), SCOPE, names)
    run = (Pins.of(SCOPE), str(SCOPE["run_id"]))
    assert warm(examples, examiner, run, NOW_US) == len(examiner.policy.topics)
    envelopes = [body for name, body in examples.items() if name.startswith("envelope of")]
    found = [examiner.examine(raw(body), NOW_US, 0) for body in envelopes]
    assert {item.event_class for item in found if isinstance(item, Admissible)} == set(examiner.policy.topics)


def test_a_gate_warms_itself_before_it_takes_calls(tmp_path: Path) -> None:
    gate = build(run_in(tmp_path, "127.0.0.1:1", NOWHERE, "t.", topics=False))
    taken: list[str] = []
    gate.warm = lambda: taken.append("warm")
    gate.start()
    assert taken == ["warm"]
    gate.stop()
