"""`assay contracts`, and the pages it writes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.agents import specs
from assay.agents.topology import TOPOLOGY
from assay.agents.topology_text import topology_text
from assay.app.cli import contracts as command
from assay.app.reference.compatibility_page import compatibility
from assay.app.reference.topology_picture import mermaid_planned, mermaid_running, text_lanes, text_topics
from assay.codecs import single_object
from assay.contracts import avro_schemas
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import Edge, topics

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", command.pages())
def test_a_generated_page_is_what_the_contracts_generate(name: str) -> None:
    """Run `make docs` when this fails."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == command.pages()[name]


def test_check_counts_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 and one line."""
    assert command.main(["check"]) == 0
    assert f"{len(topics())} topics" in capsys.readouterr().out


@pytest.fixture
def today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the folder of today's schemas that the product reads."""
    folder = shutil.copytree(avro_schemas.CURRENT, tmp_path / "avro")
    monkeypatch.setattr(avro_schemas, "CURRENT", folder)
    caches: tuple[Any, ...] = (avro_schemas.current, single_object.record_types)
    for cached in caches:
        cached.cache_clear()
    yield folder
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "long", "default": "none"}, "Default value <none> must match schema type: long"),
        ({"type": "money", "default": 0}, "money"),
    ],
)
def test_check_refuses_a_schema_that_is_not_valid_avro(field: dict[str, object], said: str, today: Path) -> None:
    """Such a field would be compatible with every released schema, and no reader could read it."""
    path = next(today.glob("payment.v*.avsc"))
    schema = json.loads(path.read_text("utf-8"))
    schema["fields"].append({"name": "fee", **field})
    path.write_text(json.dumps(schema), "utf-8")
    with pytest.raises(Stop) as refused:
        command.main(["check"])
    assert refused.value.reason is Reason.SCHEMA_UNSUPPORTED
    assert refused.value.where == "payment"
    assert said in refused.value.what


def test_check_refuses_a_topology_that_the_topic_files_contradict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topology is compared with the topic files, not these with themselves."""
    others = tuple(component for component in TOPOLOGY.components if component.name != "scenario_runner")
    monkeypatch.setattr(command, "TOPOLOGY", dataclasses.replace(TOPOLOGY, components=others))
    with pytest.raises(Stop, match="TOPIC_ORPHANED: no component produces run_ready"):
        command.main(["check"])


def test_docs_writes_every_page(tmp_path: Path) -> None:
    """Into the folder named."""
    assert command.main(["docs", "--folder", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compatibility.md", "contracts.md", "scenario_runner.proto", "topology.md"]


def test_topology_prints_the_topology(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else, so that it can be written to a file."""
    assert command.main(["topology"]) == 0
    assert capsys.readouterr().out == topology_text(TOPOLOGY)


def test_release_keeps_what_is_released(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to do when every schema has its copy."""
    assert command.main(["release"]) == 0
    assert capsys.readouterr().out == ""


def test_a_vector_that_is_not_what_the_rule_gives_is_refused() -> None:
    """A planted partition."""
    good = topics()["FP_BUS_RTDL_V1"]
    bad = dataclasses.replace(good, golden=({**good.golden[0], "partition": 99},))
    with pytest.raises(Stop) as refused:
        command.check_golden_vectors([bad])
    assert refused.value.reason is Reason.TOPIC_FILE_INVALID
    assert "written" in refused.value.what


def test_every_edge_is_in_the_compatibility_matrix() -> None:
    """With the schema of its record, which is a file."""
    rows = list(compatibility(TOPOLOGY))
    written = {Edge(row.producer, "produces", row.topic, row.record) for row in rows}
    read = {Edge(row.consumer, "consumes", row.topic, row.record) for row in rows}
    assert written | read == {*TOPOLOGY.edges(), *TOPOLOGY.planned_edges()}
    assert all((ROOT / row.schema).is_file() and Path(row.schema).name.startswith(f"{row.record}.v") for row in rows)


def test_a_row_is_planned_when_one_of_its_ends_is() -> None:
    """The degrade ladder does not run yet; the lane that reads its posture does."""
    states = {(row.producer, row.consumer): row.planned for row in compatibility(TOPOLOGY) if row.record == "posture"}
    assert states[("degrade_ladder", "rtdl_lane")] and not states[("scenario_runner", "rtdl_lane")]


def test_the_text_picture_has_one_line_per_topic_in_use() -> None:
    """Writers, topic, readers."""
    edges = [Edge("gate", "produces", "A", "r"), Edge("lane", "consumes", "A", "r"), Edge("lane", "produces", "B", "r")]
    assert text_topics(edges).splitlines() == ["gate ─▶ A ─▶ lane", "lane ─▶ B ─▶ ·"]


def test_the_text_picture_names_every_shard_and_its_steps() -> None:
    """And every HTTP call."""
    lane = dataclasses.replace(TOPOLOGY.with_role(specs.Role.ACT), shards=2)
    lines = text_lanes(dataclasses.replace(TOPOLOGY, lanes=(lane,))).splitlines()
    assert lines == [
        "act/0  action_layer: action_layer",
        "act/1  action_layer: action_layer",
        "HTTP   world_streamer → ingestion_gate",
        "HTTP   label_delivery → ingestion_gate",
        "HTTP   kafka_connect → ingestion_gate",
    ]


def test_what_is_planned_is_drawn_apart_from_what_runs() -> None:
    """Every edge is in its picture, and in no other."""
    running, planned = mermaid_running(TOPOLOGY), mermaid_planned(TOPOLOGY)
    assert "degrade_ladder" in planned and "degrade_ladder" not in running
    assert "rtdl_decision_fabric --> FP_BUS_RTDL_V1" in running and "decision_fabric" not in planned
    assert "world_streamer -. HTTP .-> ingestion_gate" in running
    for topic in topics():
        assert f"{topic}[({topic})]" in running
