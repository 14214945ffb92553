"""A request for a run, in one form: however it is written, the same intent has the same fingerprint, and a key names one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from assay.app.run.directory import RunConfig, live_key
from assay.contracts import instants
from assay.contracts.canonical import hex64
from assay.contracts.errors import Quarantine
from assay.contracts.ids import scenario_run_id, scenario_set_id
from assay.contracts.json_schema import fault_of
from assay.contracts.reasons import Reason

SCHEMA: Final = "sr_run_request.v1"
AUTO, FORCE_INVOKE, FORCE_REUSE = "AUTO", "FORCE_INVOKE", "FORCE_REUSE"


@dataclass(frozen=True)
class RunRequest:
    """A request in canonical form: blanks around texts are gone, times are UTC microseconds, a set is sorted and names each once.

    `scenario_set` is empty where one scenario is asked for. `output_ids`, `strategy` and who asks are no part of the intent.
    """

    key: str
    manifest_fingerprint: str
    parameter_hash: str
    seed: int
    scenario_id: str
    scenario_set: tuple[str, ...]
    window_start_us: int
    window_end_us: int
    window_tz: str
    strategy: str = AUTO
    output_ids: tuple[str, ...] = ()
    engine_run_root: str = ""
    invoker: str = ""
    supersedes_run_id: str = ""
    supersession_purpose: str = ""

    @property
    def run_id(self) -> str:
        """hex32: the run that the equivalence key names."""
        return scenario_run_id(self.key)

    @property
    def intent(self) -> dict[str, Any]:
        """What the request asks for, without how and by whom."""
        of_another = {"supersedes_run_id": self.supersedes_run_id, "supersession_purpose": self.supersession_purpose}
        return {
            **(of_another if self.supersedes_run_id else {}),
            "manifest_fingerprint": self.manifest_fingerprint,
            "parameter_hash": self.parameter_hash,
            "seed": self.seed,
            "scenario_id": self.scenario_id,
            "scenario_set": list(self.scenario_set),
            "window_start": instants.text(self.window_start_us),
            "window_end": instants.text(self.window_end_us),
            "window_tz": self.window_tz,
        }

    @property
    def intent_fingerprint(self) -> str:
        """hex64 of the canonical JSON of the intent."""
        return hex64(self.intent)


def read_request(document: Any) -> RunRequest:
    """A request from its document. Raises Quarantine(SCHEMA_FAIL, INVALID_WINDOW, TIME_INVALID), and then nothing was written."""
    value = _trimmed(document)
    fault = fault_of(SCHEMA, value)
    if fault is not None:
        raise Quarantine(Reason.SCHEMA_FAIL, f"the request is not valid: {fault}", where=fault.path, remedy="Correct the request.")
    window, scenario = value["window"], value["scenario"]
    start_us, end_us = instants.read(window["window_start_utc"]), instants.read(window["window_end_utc"])
    if start_us >= end_us:
        what = f"the window ends at {instants.text(end_us)}, not after its begin {instants.text(start_us)}"
        raise Quarantine(Reason.INVALID_WINDOW, what, where="$.window", remedy="Give a window that begins before it ends.")
    names = tuple(sorted(set(scenario.get("scenario_set", ()))))
    return RunRequest(
        key=value["run_equivalence_key"],
        manifest_fingerprint=value["manifest_fingerprint"],
        parameter_hash=value["parameter_hash"],
        seed=value["seed"],
        scenario_id=scenario_set_id(names) if names else scenario["scenario_id"],
        scenario_set=names,
        window_start_us=start_us,
        window_end_us=end_us,
        window_tz=window.get("window_tz", "UTC"),
        strategy=value.get("requested_strategy", AUTO),
        output_ids=tuple(sorted(set(value.get("output_ids", ())))),
        engine_run_root=value.get("engine_run_root", ""),
        invoker=value.get("invoker", ""),
        supersedes_run_id=value.get("supersedes_run_id", ""),
        supersession_purpose=value.get("supersession_purpose", ""),
    )


def request_of_run(config: RunConfig) -> dict[str, Any]:
    """The request for the run of a run directory: its world, or what is posted to it, under a key of its platform run."""
    of_world = f"{config.platform_run_id}|{config.manifest_fingerprint}"
    return {
        "run_equivalence_key": live_key(config.platform_run_id) if config.is_live else of_world,
        "manifest_fingerprint": config.manifest_fingerprint,
        "parameter_hash": config.parameter_hash,
        "seed": config.seed,
        "scenario": {"scenario_id": config.scenario_id},
        "window": {"window_start_utc": instants.text(0), "window_end_utc": instants.text(instants.LAST_US)},
    }


def _trimmed(value: Any) -> Any:
    """The same document without blanks around its texts."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return {name: _trimmed(child) for name, child in value.items()}
    return [_trimmed(child) for child in value] if isinstance(value, list) else value
