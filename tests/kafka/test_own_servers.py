"""Runs on servers of their own, as users have them at first: each process is its user of Kafka, and no password is shown."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from assay_command import Ended, assay
from bus_passwords import assert_in_files_of_their_owner, holds, passwords_of
from demo_process import Demo, seal
from live_up import Up, own_client

from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.report.gate_lines import receipts_of
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.substrate.kafka import start_kafka
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(900)]

ROWS = 300
#: commands that ask the Kafka of a run
LOOKS = (
    ["topic", "cat", "FP_BUS_RTDL_V1", "--limit", "1"],
    ["topic", "create"],
    ["quarantine", "list", "--bus"],
    ["backtest", "--policy", "handbook", "--expect-same"],
    ["replay", "--verify"],
    ["audit", "verify"],
    ["journal", "verify"],
    ["report"],
)


@pytest.mark.long
def test_a_kafka_that_was_begun_before_there_were_users_goes_on_without(tmp_path: Path) -> None:
    with start_kafka(tmp_path / "kafka", load_settings(bus="")) as before:
        KafkaAdmin(before.address).create([TopicShape("kept", 1)])
    with start_kafka(tmp_path / "kafka", load_settings(bus=""), secured=True) as now:
        assert now.users == ""
        assert "kept" in KafkaAdmin(now.address).partitions()


@pytest.mark.long
def test_a_run_on_servers_of_its_own_is_proven_and_looked_into_and_shows_no_password(tmp_path: Path) -> None:
    world = seal(tmp_path, seed=52, rows=ROWS)
    demo = Demo(tmp_path, world, "", "")
    try:
        demo.finish()
    finally:
        demo.stop()
    demo.assert_as_undisturbed(ROWS)
    run, home = Run.load(demo.directory), demo.directory / "servers" / "kafka"
    assert run.bus_users == "servers/kafka/users"
    passwords = passwords_of(run)
    assert_in_files_of_their_owner(run, home, passwords)
    assert "in the clear" not in demo.log.read_text()
    assert not holds(demo.log, passwords)
    printed = looked_into(run, tmp_path)
    assert not [password for password in passwords if password in printed]
    assert "in the clear" not in printed
    assert f"against {ROWS} audit records on the bus" in printed
    assert not run.directory.exists()


def ours(*arguments: str | Path) -> Ended:
    """Run a command that finds its servers in the run alone."""
    return assay(*arguments, ASSAY_BUS="", ASSAY_SQL="", ASSAY_BUS_PROPERTIES="")


def worked(run: Run, *command: str | Path) -> str:
    """Let a command do its work on a run; what it printed."""
    ended = ours(*command, "--run", run.directory)
    assert ended.code == 0, (command, ended.text)
    return ended.text


def looked_into(run: Run, folder: Path) -> str:
    """Start the run's servers again, read it in every way, stop them and remove it; all that was printed."""
    event = next(one.event_id for one in receipts_of(run) if one.event_class == "traffic")
    printed = [ours("substrate", "up", "--dir", run.directory).text]
    try:
        printed += [
            worked(run, *command) for command in (*LOOKS, ["decision", "show", event], ["export", "decisions", "--parquet", folder])
        ]
    finally:
        printed.append(ours("substrate", "down", "--dir", run.directory).text)
    ended = ours("runs", "remove", run.directory, "--yes")
    assert ended.code == 0, ended.text
    return "\n".join((*printed, ended.text))


def label(run: Run, payment: str) -> int:
    """Post a label; the status of the answer."""
    body = json.dumps({"payment": payment, "label": "FRAUD", "source": "chargeback"}).encode()
    request = urllib.request.Request(f"{run.gate_url}/v1/labels", body, {"X-IG-Api-Key": run.api_key})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)


@pytest.mark.long
def test_a_live_run_on_servers_of_its_own_takes_payments_and_labels_and_is_read_with_the_password_of_the_reader(tmp_path: Path) -> None:
    up = Up(tmp_path / "live", "", "")
    try:
        up.start()
        run = Run.load(up.directory)
        assert up.post("pay-1") == "ADMIT"
        assert label(run, "pay-1") == 201
        assert up.decided("pay-1")["outcome"] == "ALLOW"
        until(lambda: [line["event_id"] for line in own_client(up.directory)] == ["pay-1"], 30)
        with pytest.raises(AssertionError, match="Failed to get metadata"):
            own_client(up.directory, password=False)
        worked(run, "journal", "snapshot")
        assert up.end() == 0, up.text()
        up.start()
        assert up.decided("pay-1")["outcome"] == "ALLOW"
        assert up.post("pay-2") == "ADMIT"
        assert up.decided("pay-2")["outcome"] == "ALLOW"
        worked(run, "journal", "snapshot")
    finally:
        code = up.end()
    assert code == 0, up.text()
    assert [proven for _, proven, _ in up.summary().verdicts] == [True] * 5
    assert_in_files_of_their_owner(run, up.directory / "servers" / "kafka", passwords_of(run))
    assert not holds(up.log, passwords_of(run))
    assert "in the clear" not in up.text()
    ours("substrate", "up", "--dir", run.directory)
    try:
        assert "truncated: the journal of lane rtdl/0" in worked(run, "journal", "truncate")
    finally:
        ours("substrate", "down", "--dir", run.directory)
