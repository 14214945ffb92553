"""Pins: the six ids every record of a run carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from assay.contracts.canonical import digest
from assay.contracts.errors import Quarantine
from assay.contracts.limits import ID_CHARS_MAX, SEED_MAX
from assay.contracts.reasons import Reason

PIN_NAMES: Final = ("platform_run_id", "scenario_run_id", "manifest_fingerprint", "parameter_hash", "scenario_id", "seed")
HEX32: Final = re.compile(r"[0-9a-f]{32}")
HEX64: Final = re.compile(r"[0-9a-f]{64}")
PLATFORM_RUN_ID: Final = re.compile(r"platform_[0-9]{8}T[0-9]{6}Z")

_PATTERNS: Final = {
    "platform_run_id": PLATFORM_RUN_ID,
    "scenario_run_id": HEX32,
    "manifest_fingerprint": HEX64,
    "parameter_hash": HEX64,
}


@dataclass(frozen=True)
class Pins:
    """Which run of which world: hex ids as lower-case hex, `seed` within 0 .. 2**63 - 1.

    Raises Quarantine(PINS_INVALID) naming the pin.
    """

    platform_run_id: str
    scenario_run_id: str
    manifest_fingerprint: str
    parameter_hash: str
    scenario_id: str
    seed: int

    def __post_init__(self) -> None:
        problem = problem_of(self.__dict__)
        if problem is not None:
            raise Quarantine(Reason.PINS_INVALID, problem)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Pins:
        """Read the six pins out of a mapping; other keys are left alone."""
        problem = problem_of(values)
        if problem is not None:
            raise Quarantine(Reason.PINS_INVALID, problem)
        return cls(**{name: values[name] for name in PIN_NAMES})

    def as_json(self) -> dict[str, Any]:
        """The pins as they stand in an envelope."""
        return asdict(self)

    def as_avro(self) -> dict[str, str | int | bytes]:
        """The pins as they travel on the bus: hex ids as fixed bytes."""
        hexes = ("scenario_run_id", "manifest_fingerprint", "parameter_hash")
        return {name: bytes.fromhex(str(value)) if name in hexes else value for name, value in self.as_json().items()}

    @cached_property
    def digest(self) -> bytes:
        """sha256 of the canonical JSON of the six pins, 32 bytes: the run's part of every id."""
        return digest(self.as_json())


def problem_of(values: Mapping[str, Any]) -> str | None:
    """What is wrong with the first wrong pin, or None."""
    for name, pattern in _PATTERNS.items():
        value = values.get(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            return f"pin {name} is {value!r}, expected {pattern.pattern}"
    scenario_id, seed = values.get("scenario_id"), values.get("seed")
    if not isinstance(scenario_id, str) or not 1 <= len(scenario_id) <= ID_CHARS_MAX:
        return f"pin scenario_id is {scenario_id!r}, expected 1 to {ID_CHARS_MAX} characters"
    if type(seed) is not int or not 0 <= seed <= SEED_MAX:
        return f"pin seed is {seed!r}, expected an integer from 0 to {SEED_MAX}"
    return None
