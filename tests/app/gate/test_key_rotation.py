"""A running gate takes a new key and refuses a retired one, without a restart. Its servers are not needed: the key is looked at first."""

from __future__ import annotations

from pathlib import Path

from gate_process import KEY, GateProcess, run_in

from assay.app.run.keys import retire, rotate

TAKEN, REFUSED = 503, 401  # without servers a call with a key is answered with Retry


def test_a_running_gate_follows_the_keys_of_its_run(tmp_path: Path) -> None:
    run = run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    gate = GateProcess(run)
    try:

        def statuses(*keys: str | None) -> list[int]:
            return [gate.post("/v1/payments", {}, key)[0] for key in keys]

        assert statuses(KEY, "another", None) == [TAKEN, REFUSED, REFUSED]
        second = rotate(tmp_path).api_key
        assert statuses(KEY, second, None) == [TAKEN, TAKEN, REFUSED]
        retire(tmp_path)
        assert statuses(KEY, second) == [REFUSED, TAKEN]
    finally:
        gate.stop()
