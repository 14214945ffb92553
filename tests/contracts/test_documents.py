"""Documents that components read from files: their readers take and refuse the examples as the JSON Schemas do."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
import yaml
from oracles.examples import Example, examples
from small_worlds import reseal_document, small_world

from assay.app.oracle.mapping import parse_mapping, shipped_mappings
from assay.app.oracle.sealed_world import open_world
from assay.app.oracle.world_manifest import WorldManifest
from assay.codecs.audit_segment import MAGIC, read_segment
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.json_schema import fault_of

REFUSED = {name: [e for e in examples(name) if e.reason is not None] for name in ("mapping", "sealed_world", "audit_segment")}


@pytest.mark.parametrize("example", list(examples("mapping")), ids=str)
def test_the_import_takes_and_refuses_a_mapping_as_its_schema_does(example: Example) -> None:
    """Accepted, or refused with the reason of the example."""
    text = yaml.safe_dump(example.value)
    if example.reason is None:
        parse_mapping(text, "example")
        return
    with pytest.raises(Stop) as refused:
        parse_mapping(text, "example")
    assert refused.value.reason is example.reason


@pytest.mark.parametrize("name", shipped_mappings())
def test_a_shipped_mapping_conforms(name: str) -> None:
    """Users copy these."""
    text = resources.files("assay.app.oracle").joinpath("mappings", f"{name}.yaml").read_text()
    assert fault_of("mapping.v1", yaml.safe_load(text)) is None


@pytest.mark.parametrize("example", [e for e in examples("sealed_world") if e.reason is None], ids=str)
def test_a_manifest_is_written_as_its_schema_says(example: Example) -> None:
    """Read and written again, it still conforms and says the same."""
    written = json.loads(WorldManifest.model_validate(example.value).to_bytes())
    assert written == example.value
    assert fault_of("sealed_world.v1", written) is None


@pytest.mark.parametrize("example", REFUSED["sealed_world"], ids=str)
def test_a_world_with_a_bad_manifest_is_not_opened(tmp_path: Path, example: Example) -> None:
    """For the reason of the example."""
    world = small_world(tmp_path)
    reseal_document(world, example.value)
    with pytest.raises(Stop) as refused:
        open_world(world.store, world.manifest.manifest_fingerprint)
    assert refused.value.reason is example.reason


@pytest.mark.parametrize("example", REFUSED["audit_segment"], ids=str)
def test_a_segment_with_a_bad_header_is_damaged(example: Example) -> None:
    """For the reason of the example."""
    header = canonical(example.value)
    with pytest.raises(Stop) as refused:
        read_segment(MAGIC + len(header).to_bytes(4, "big") + header)
    assert refused.value.reason is example.reason
