"""The topic registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.partitioner import murmur2

import assay
from assay.contracts.avro_schemas import current
from assay.contracts.errors import Stop
from assay.contracts.keys import PLACED
from assay.contracts.reasons import Reason
from assay.contracts.topics import (
    FOLDER,
    Edge,
    Topic,
    edges,
    read,
    topic,
    topic_named,
    topics,
)

VECTORS = [(found, vector) for found in topics().values() for vector in found.golden]
LITERAL = re.compile(r"""["'][^"'\s]*\bfp\.(bus|journal|changelog)\.""")


@pytest.mark.parametrize(("found", "vector"), VECTORS)
def test_a_golden_vector_gives_its_key_and_partition(found: Topic, vector: dict[str, object]) -> None:
    """Payload → key → partition; the partition also by another client's hash."""
    name, fields, partitions = str(vector["record"]), vector["fields"], int(str(vector["partitions"]))
    assert isinstance(fields, dict)
    key = found.key(name, fields)
    assert (key.decode(), found.partition(name, fields, partitions)) == (vector["key"], vector["partition"])
    if found.records[name] not in PLACED:
        assert vector["partition"] == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_every_record_of_a_topic_has_a_schema_and_a_vector_or_is_a_mark() -> None:
    """And every schema has a topic that carries it."""
    for found in topics().values():
        assert set(found.records) <= set(current())
        assert {vector["record"] for vector in found.golden} == set(found.records)
    assert {name for found in topics().values() for name in found.records} == set(current())


def test_truth_is_never_compacted_and_only_derived_rows_are() -> None:
    """Compaction forgets; only what can be computed again may be forgotten."""
    assert {handle for handle, found in topics().items() if found.cleanup == "compact"} == {
        "FP_BUS_FEATURE_SETS_V1",
        "FP_CHANGELOG_ENTITIES_V1",
        "FP_CHANGELOG_FEATURES_V1",
    }


def test_dead_letters_go_to_a_topic_that_has_none_itself() -> None:
    """No loop."""
    for found in topics().values():
        assert found.dead_letter is None or topic(found.dead_letter).dead_letter is None


def test_a_namespace_comes_before_the_topic_name() -> None:
    """Two runs on one broker never share a topic."""
    assert topic("FP_BUS_RTDL_V1").name("run7.") == "run7." + topic("FP_BUS_RTDL_V1").topic


@pytest.mark.parametrize("name", ["FP_BUS_RTDL_V1", "fp.bus.rtdl.v1", "run7.fp.bus.rtdl.v1"])
def test_a_topic_answers_to_its_handle_and_to_its_name_with_and_without_its_namespace(name: str) -> None:
    assert topic_named(name, "run7.") is topic("FP_BUS_RTDL_V1")


@pytest.mark.parametrize("name", ["run8.fp.bus.rtdl.v1", "fp.bus.rtdl", "run7.FP_BUS_RTDL_V1", ""])
def test_a_name_of_no_topic_is_refused_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(Stop, match=r"TOPIC_UNKNOWN: no topic has the name or handle .*fp\.bus\.rtdl\.v1"):
        topic_named(name, "run7.")


def test_wiring_sets_partitions_only_where_the_topic_scales() -> None:
    """The journal keeps its one partition."""
    assert topic("FP_BUS_TRAFFIC_FRAUD_V1").partition_count(7) == 7
    assert topic("FP_JOURNAL_RTDL_V1").partition_count(7) == 1
    assert topic("FP_BUS_TRAFFIC_FRAUD_V1").partition_count() == 3


@pytest.mark.parametrize("call", [lambda: topic("FP_NONE")])
def test_an_unknown_topic_is_refused(call: object) -> None:
    """Whoever asks for it."""
    assert callable(call)
    with pytest.raises(Stop) as refused:
        call()
    assert refused.value.reason is Reason.TOPIC_UNKNOWN


def test_who_may_write_what() -> None:
    """The rows of the law that carry weight."""
    written = {edge[::2] + edge[3:] for edge in edges() if edge.verb == "produces"}
    assert ("ingestion_gate", "FP_BUS_TRAFFIC_FRAUD_V1", "payment") in written
    assert {who for who, handle, _ in written if handle == "FP_BUS_LABELS_EVENTS_V1"} == {"label_store"}
    assert {record for who, handle, record in written if (who, handle) == ("decision_fabric", "FP_BUS_RTDL_V1")} == {"decision_response"}
    assert "world_streamer" not in {who for who, _, _ in written}
    read_by_streamer = {edge for edge in edges() if edge.component == "world_streamer"}
    assert {edge.handle for edge in read_by_streamer} == {"FP_BUS_CONTROL_V1"}
    assert {edge.record for edge in read_by_streamer} == {"run_ready", "run_terminal_signal"}


def test_an_edge_says_who_does_what() -> None:
    """As it stands in refusals."""
    assert str(Edge("act", "produces", "FP_X", "mark")) == "act produces mark to FP_X"
    assert str(Edge("act", "consumes", "FP_X", "mark")) == "act consumes mark from FP_X"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"colour": "red"}, "fields missing or unknown: colour"),
        ({"colour": "red", 7: "red"}, "fields missing or unknown: 7, colour"),
        ({"owner": None, "-": "owner"}, "fields missing or unknown: owner"),
        ({"topic": "fp.other"}, "not named fp.other.yaml"),
        ({"records": {"payment": "by_colour"}}, "key rule is unknown"),
        ({"producers": {"ingestion_gate": ["payment", "posture"]}}, "writes a record the topic does not carry"),
        ({"consumers": {"rtdl_lane": ["posture"]}}, "reads a record the topic does not carry"),
        ({"producers": {"ingestion_gate": ["payment"]}}, "a record has no producer"),
        ({"owner": "report"}, "the owner is not among the producers"),
        ({"cleanup": "forget"}, "neither delete nor compact"),
        ({"partitions": 0}, "at least 1"),
        ({"golden": []}, "fewer than three"),
        ({"golden": None}, "a field is of another kind"),
        ({"producers": ["ingestion_gate"]}, "a field is of another kind"),
        ({"consumers": ["rtdl_lane", "report"]}, "a field is of another kind"),
        ({"partitions": "3"}, "a field is of another kind"),
    ],
)
def test_a_bad_topic_file_is_refused_by_name(tmp_path: Path, change: dict[Any, object], what: str) -> None:
    """Each rule of the file, planted."""
    good = FOLDER / f"{topic('FP_BUS_TRAFFIC_FRAUD_V1').topic}.yaml"
    document = yaml.safe_load(good.read_text()) | change
    if "-" in document:
        del document[document.pop("-")]
    planted = tmp_path / good.name
    planted.write_text(yaml.safe_dump(document))
    with pytest.raises(Stop, match=re.escape(what)) as refused:
        read(planted)
    assert refused.value.reason is Reason.TOPIC_FILE_INVALID
    assert refused.value.where == good.name


def test_a_topic_file_that_says_a_thing_twice_is_refused(tmp_path: Path) -> None:
    """The last of them does not win."""
    good = FOLDER / f"{topic('FP_BUS_TRAFFIC_FRAUD_V1').topic}.yaml"
    planted = tmp_path / good.name
    planted.write_text(good.read_text() + "partitions: 9\n")
    with pytest.raises(Stop, match="the key 'partitions' is given a second time") as refused:
        read(planted)
    assert (refused.value.reason, refused.value.where) == (Reason.TOPIC_FILE_INVALID, good.name)


def literals(source: str) -> list[str]:
    """Lines that name a topic by its string."""
    return [line for line in source.splitlines() if LITERAL.search(line)]


def test_topic_strings_stand_only_in_the_topic_files() -> None:
    """Code and other data use handles."""
    root = Path(assay.__file__).parent
    sources = [path for path in root.rglob("*.*") if path.suffix in (".py", ".yaml", ".toml", ".html") and path.parent != FOLDER]
    found = {str(path.relative_to(root)): literals(path.read_text(encoding="utf-8")) for path in sources}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_planted_topic_string_is_found() -> None:
    """The rule above bites."""
    assert literals('topic = "' + "fp." + 'bus.rtdl.v1"')
    assert literals("x = f'{namespace}" + "fp." + "journal.rtdl.v1'")
    assert not literals("handle = 'FP_BUS_RTDL_V1'")
