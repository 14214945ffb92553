"""`assay contracts`, and the pages it writes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.agents.topology import TOPOLOGY
from assay.app.cli import contracts as command
from assay.app.reference.contracts_page import contracts_page, text_picture, topology_page
from assay.codecs import single_object
from assay.contracts import avro_schemas
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import check_topology, topics

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(("name", "page"), [("contracts.md", contracts_page()), ("topology.md", topology_page())])
def test_a_generated_page_is_what_the_contracts_generate(name: str, page: str) -> None:
    """Run `assay contracts docs` when this fails."""
    assert (DOCS / name).read_text(encoding="utf-8") == page


def test_every_edge_of_the_topology_is_listed_in_its_topic_file() -> None:
    """The topology may not use a topic that does not know it."""
    check_topology((who, verb, handle) for who, verb, handle, _ in TOPOLOGY.edges())


def test_check_counts_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 and one line."""
    assert command.main(["check"]) == 0
    assert f"{len(topics())} topics" in capsys.readouterr().out


@pytest.fixture
def today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the folder of today's schemas that the product reads."""
    folder = shutil.copytree(avro_schemas.CURRENT, tmp_path / "avro")
    monkeypatch.setattr(avro_schemas, "CURRENT", folder)
    caches = (avro_schemas.current, single_object.record_types)
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


def test_docs_writes_both_pages(tmp_path: Path) -> None:
    """Into the folder named."""
    assert command.main(["docs", "--folder", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["contracts.md", "topology.md"]


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


def test_the_text_picture_has_one_line_per_topic_in_use() -> None:
    """Writers, topic, readers."""
    edges = [("gate", "produces", "A"), ("lane", "consumes", "A"), ("lane", "produces", "B")]
    assert text_picture(edges).splitlines() == ["gate ─▶ A ─▶ lane", "lane ─▶ B ─▶ ·"]
