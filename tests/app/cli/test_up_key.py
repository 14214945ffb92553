"""`assay up` shows the key of a new run to a person, once; what it prints into a log or a pipe holds no key."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from assay.app.cli.up import _explain
from assay.app.policy.documents import document
from assay.app.run.directory import Run, RunConfig
from assay.contracts.pins import PIN_NAMES

KEY = "a-key-that-nobody-guesses"


@pytest.mark.parametrize(("terminal", "fresh", "times"), [(True, True, 1), (True, False, 0), (False, True, 0), (False, False, 0)])
def test_the_key_is_shown_once_on_a_terminal_only(tmp_path: Path, terminal: bool, fresh: bool, times: int) -> None:
    pins = {**dict.fromkeys(PIN_NAMES, "0" * 64), "platform_run_id": "platform_20260101T000000Z", "seed": 0}
    documents = {"features": document("handbook", "features"), "policy": document("handbook", "rules")}
    config = RunConfig.model_validate({**pins, "run_id": "0" * 32, **documents})
    run = Run(directory=tmp_path, config=config, bootstrap="b:1", dsn="", gate_url="http://g", worker_url="http://w", api_key=KEY)
    out = io.StringIO()
    _explain(Console(file=out, force_terminal=terminal), run, fresh=fresh)
    printed = out.getvalue()
    assert printed.count(KEY) == times
    assert f"key show --run {tmp_path}" in printed, "a script takes it from the command"
