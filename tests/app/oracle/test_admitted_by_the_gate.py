"""What the import seals, the gate admits: a world of which every payment is refused later is refused here, with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_decisions
from effort import drawn
from gated_worlds import merged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sent_sequences import payments_of
from small_runs import config_of
from small_worlds import NOW_US, ROWS, small_world

from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.run_names import RunNames
from assay.app.labels.known_labels import LabelSequence
from assay.app.labels.label_envelopes import LabelFramer
from assay.app.labels.world_labels import labels_of_world
from assay.app.oracle.mapping import Mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.unnamed import rows_without
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import gate_truth_names

DAY_US = 86_400_000_000
#: what the features of a small run are kept by
ENTITIES = sample_decisions.FEATURES["entities"]
TEXT = st.text(st.sampled_from("aZ1 -_\x00\x1b\t\n\x7f\x85é€"), max_size=6) | st.sampled_from(
    ["x" * 256, "x" * 257, "é" * 1024, "é" * 1025]
)
NAMES = st.sampled_from(["label", "Is Fraud", "channel", "x" * 128, "x" * 129, "tab\there", "investigation", "typology", "_", "*"])


def refused_by_the_gate(world: SealedWorld) -> list[Any]:
    """Everything of a world that the gate does not admit."""
    truth = Mapping.model_validate(world.manifest.mapping).truth
    told = {"truth_columns": tuple(sorted(truth.columns())) if truth else (), "extra_entities": tuple(world.manifest.entities)}
    config = config_of(world.manifest, **told)
    examiner = Examiner(shipped_admission_policy(), {**config.pins.as_json(), "run_id": config.run_id}, RunNames.of(config))
    labels = LabelSequence(labels_of_world(world, DAY_US), LabelFramer(config.pins, config.run_id))
    rows = merged(labels, payments_of(world, config))
    examined = [examiner.examine(raw, NOW_US, 0) for _, raw in rows]
    return [item for item in examined if not isinstance(item, Admissible)]


def test_the_names_of_the_gates_policy_are_one_list() -> None:
    assert gate_truth_names() == shipped_admission_policy().truth_columns


@settings(max_examples=drawn(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=st.sampled_from(["id", "who", "shop", "kind", "channel"]), values=st.lists(TEXT, min_size=4, max_size=4), name=NAMES)
def test_a_world_is_refused_by_the_import_or_admitted_by_the_gate(tmp_path: Path, column: str, values: list[str], name: str) -> None:
    rows = {**ROWS, name: ["a", "b", None, "c"], column: values}
    try:
        world = small_world(tmp_path, rows, attributes=["channel", name] if name != "channel" else ["channel"])
    except AssayError:
        return
    assert [item.reason for item in refused_by_the_gate(world)] == [Reason.ENTITY_MISSING] * rows_without(world, ENTITIES)


def test_what_the_import_counts_as_without_an_entity_is_what_the_gate_refuses_for_it(tmp_path: Path) -> None:
    world = small_world(tmp_path, {**ROWS, "who": ["7", None, None, "9"]})
    assert [item.reason for item in refused_by_the_gate(world)] == [Reason.ENTITY_MISSING] * 2
    assert rows_without(world, ENTITIES) == 2
    assert rows_without(world, world.manifest.entities) == 1, "one of them names a merchant"


def test_a_world_without_entities_is_decided_by_no_policy(tmp_path: Path) -> None:
    world = small_world(tmp_path, entities={})
    assert world.manifest.entities == []
    assert {item.reason for item in refused_by_the_gate(world)} == {Reason.ENTITY_MISSING}


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", "a\x00b"), ("who", "a\x1b[2J"), ("shop", "a\nb"), ("kind", "card\x85"), ("channel", "a\tb")],
)
def test_control_characters_are_refused(tmp_path: Path, column: str, value: str) -> None:
    with pytest.raises(AssayError) as refusal:
        small_world(tmp_path, {**ROWS, column: [value, *ROWS[column][1:]]})
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, f"column '{column}', row 1")
    assert "control character" in refusal.value.what


@pytest.mark.parametrize("name", ["label", "Is Fraud", "TX_FRAUD", "Typology", "campaign-id"])
def test_an_attribute_that_the_gate_takes_for_the_truth_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssayError) as refusal:
        small_world(tmp_path, {**ROWS, name: ["a"] * 4}, attributes=[name], truth=None)
    assert refusal.value.reason is Reason.TRUTH_COLUMN_IN_LIVE_ROW
    assert f"'{name}'" in refusal.value.what
    assert "truth.also" in refusal.value.remedy


def test_an_entity_that_the_gate_takes_for_the_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"'investigation' \(entities.investigation\)"):
        small_world(tmp_path, entities={"investigation": "who"}, truth=None)
