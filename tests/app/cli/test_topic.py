"""`assay topic` before it reaches a broker; what it prints from one is in tests/kafka/test_topics.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from assay.app.bus.topic_reader import TopicRecord
from assay.app.cli import topic as command
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["cat", "FP_NONE", "--bootstrap", "127.0.0.1:1"], Reason.TOPIC_UNKNOWN),
        (["cat", "FP_BUS_RTDL_V1", "--run", "/nonexistent"], Reason.RUN_MISSING),
    ],
)
def test_a_handle_or_run_that_is_not_there_is_refused(arguments: list[str], reason: Reason) -> None:
    """Before anything is asked of a broker."""
    with pytest.raises(Stop) as refused:
        command.main(arguments)
    assert refused.value.reason is reason


@pytest.mark.parametrize("option", ["--limit", "--from"])
def test_a_negative_number_is_wrong_usage(option: str) -> None:
    with pytest.raises(typer.BadParameter, match="greater than or equal to 0"):
        command.main(["cat", "FP_BUS_RTDL_V1", "--bootstrap", "127.0.0.1:1", option, "-1"])


def test_without_a_broker_the_usage_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither option nor setting names one."""
    monkeypatch.delenv("ASSAY_BUS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.BadParameter, match="--bootstrap"):
        command.main(["cat", "FP_BUS_RTDL_V1"])


@pytest.mark.parametrize(
    ("key", "shown"), [(b"596", "596"), (None, None), (b"\xff", "\\xff"), (b"", "")], ids=["text", "none", "not UTF-8", "empty"]
)
def test_a_key_is_text_whatever_its_bytes(key: bytes | None, shown: str | None) -> None:
    """One line per record in both forms."""
    record = TopicRecord(1, 17, key, None)
    whole = command.line(record, as_json=True)
    assert json.loads(whole) == {"partition": 1, "offset": 17, "key": shown, "record": "tombstone", "value": None}
    assert command.line(record, as_json=False) == f"1@17\t{'-' if shown is None else shown}\ttombstone\tnull"
