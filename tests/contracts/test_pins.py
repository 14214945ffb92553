"""The six pins."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from assay.contracts.errors import Quarantine
from assay.contracts.limits import SEED_MAX
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

GOOD: dict[str, Any] = {
    "platform_run_id": "platform_20260101T000000Z",
    "scenario_run_id": "2b88459257839f87c28f07cd3522edd7",
    "manifest_fingerprint": "a" * 64,
    "parameter_hash": "b" * 64,
    "scenario_id": "baseline_v1",
    "seed": 42,
}


def test_pins_go_through_json_and_avro_unchanged() -> None:
    """Hex in JSON, fixed bytes in Avro."""
    pins = Pins.of({**GOOD, "run_id": "another key is left alone"})
    assert pins.as_json() == GOOD
    hexes = ("scenario_run_id", "manifest_fingerprint", "parameter_hash")
    assert pins.as_avro() == {**GOOD, **{name: bytes.fromhex(GOOD[name]) for name in hexes}}


def test_the_digest_is_over_the_canonical_json_of_the_pins() -> None:
    """Recomputed here from nothing but the standard library."""
    text = json.dumps(GOOD, sort_keys=True, separators=(",", ":"))
    assert Pins(**GOOD).digest == hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize("seed", [0, SEED_MAX])
def test_a_seed_may_be_any_number_the_bus_can_carry(seed: int) -> None:
    """The ends of the range."""
    assert Pins.of({**GOOD, "seed": seed}).seed == seed


@pytest.mark.parametrize(
    ("pin", "value"),
    [
        ("platform_run_id", "platform_2026-01-01"),
        ("platform_run_id", "platform_٢٠٢٦0101T000000Z"),
        ("platform_run_id", "platform_20260101T000000Z\n"),
        ("scenario_run_id", "a" * 31),
        ("scenario_run_id", "A" * 32),
        ("manifest_fingerprint", "g" * 64),
        ("manifest_fingerprint", None),
        ("parameter_hash", b"b" * 64),
        ("scenario_id", ""),
        ("scenario_id", "s" * 257),
        ("scenario_id", 7),
        ("seed", -1),
        ("seed", SEED_MAX + 1),
        ("seed", True),
        ("seed", "42"),
        ("seed", 42.0),
    ],
)
def test_a_wrong_pin_is_refused_by_name(pin: str, value: Any) -> None:
    """Read or made: the same refusal."""
    for make in (Pins.of, lambda values: Pins(**values)):
        with pytest.raises(Quarantine) as refused:
            make({**GOOD, pin: value})
        assert refused.value.reason is Reason.PINS_INVALID
        assert f"pin {pin} " in refused.value.what


@pytest.mark.parametrize("pin", list(GOOD))
def test_a_missing_pin_is_refused_by_name(pin: str) -> None:
    """None of the six is optional."""
    with pytest.raises(Quarantine, match=f"pin {pin} is None"):
        Pins.of({name: value for name, value in GOOD.items() if name != pin})
