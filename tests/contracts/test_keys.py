"""Keys and partitions."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as reference_murmur2
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.keys import ENTITY_PRECEDENCE, entity_key, murmur2, partition_for

NAMES = st.sampled_from([*ENTITY_PRECEDENCE, "device", "browser"])
ENTITIES = st.dictionaries(NAMES, st.none() | st.text(st.characters(codec="utf-8"), min_size=1))


@given(st.binary(max_size=64))
def test_murmur2_equals_another_client_of_kafka(data: bytes) -> None:
    """aiokafka's, which gives it as a signed integer."""
    assert murmur2(data) == reference_murmur2(data) & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 100))
def test_every_key_has_a_partition(key: bytes, partitions: int) -> None:
    """Also where murmur2 has its highest bit set."""
    assert 0 <= partition_for(key, partitions) < partitions


@given(ENTITIES)
def test_the_order_of_entities_and_their_form_do_not_change_the_key(entities: dict[str, str | None]) -> None:
    """A mapping as posted and a list as on the bus give one key."""
    listed = [{"name": name, "id": value} for name, value in reversed(entities.items()) if value is not None]
    assert entity_key(entities, "evt") == entity_key(listed, "evt")


def test_of_two_items_with_one_name_the_first_is_the_key() -> None:
    """As the lane reads them."""
    assert entity_key([{"name": "customer", "id": "c1"}, {"name": "customer", "id": "c2"}], "evt") == b"c1"


@pytest.mark.parametrize(
    ("entities", "key"),
    [
        ({"terminal": "t", "customer": "c", "flow": "f"}, b"f"),
        ({"terminal": "t", "customer": "c", "flow": None}, b"c"),
        ({"party": "p", "device": "d"}, b"p"),
        ({"zone": "z", "device": "d"}, b"d"),
        ({"device": None}, "evt-ü".encode()),
        ({}, "evt-ü".encode()),
    ],
)
def test_the_first_present_entity_is_the_key(entities: dict[str, str | None], key: bytes) -> None:
    """By precedence, then by name, then the event itself."""
    assert entity_key(entities, "evt-ü") == key
