"""Identity of a world: the same five tokens give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from assay.contracts.canonical import hex64
from assay.contracts.ids import engine_run_id

#: order of the tokens in every path where several appear
TOKENS = ("seed", "parameter_hash", "manifest_fingerprint", "scenario_id", "run_id", "utc_day")
#: changes when the rows of any output change for equal parameters
RELEASE = "assay-engine-v1"
SEED_MAX = 2**63 - 1


@dataclass(frozen=True)
class WorldIdentity:
    """seed: 0 … 2^63 - 1; parameter_hash and manifest_fingerprint: 64 hex digits."""

    seed: int
    parameter_hash: str
    manifest_fingerprint: str
    scenario_id: str

    @property
    def run_id(self) -> str:
        """The engine's run id of this world."""
        return engine_run_id(self.seed, self.parameter_hash, self.manifest_fingerprint, self.scenario_id)

    def tokens(self) -> dict[str, str]:
        """Token → its text in a path."""
        return {
            "seed": str(self.seed),
            "parameter_hash": self.parameter_hash,
            "manifest_fingerprint": self.manifest_fingerprint,
            "scenario_id": self.scenario_id,
        }


def identity_of(seed: int, scenario_id: str, parameters: str, sealed: dict[str, str]) -> WorldIdentity:
    """The identity of a world. `parameters`: their hash, 64 hex digits. `sealed`: sealed input → sha256 of its bytes."""
    fingerprint = hex64({"release": RELEASE, "parameter_hash": parameters, "scenario_id": scenario_id, "sealed_inputs": sealed})
    return WorldIdentity(seed, parameters, fingerprint, scenario_id)
