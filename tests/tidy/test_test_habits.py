"""Tests use the real thing: our code is not mocked, nothing waits by sleeping, nothing is skipped without a tier."""

from __future__ import annotations

import ast

import pytest
from source_tree import calls, name_of, sources

#: a child process that waits to be killed
UNTIL_KILLED_S = 60

#: a time that passes is what is tested, or part of what a planted server does; nothing here waits for a state
PASSING_TIME = {
    "time.sleep(AWAY_S)": "tests/kafka/test_resume_outages.py, test_streaming_outages.py, test_gate_faults.py: how long the server is away",
    "time.sleep(away_s)": "tests/chaos/scenarios.py: how long the broker or a worker is away",
    "asyncio.sleep(3 * TIMEOUT_S)": "tests/app/effects/test_webhook.py: a server that answers too late",
}


def faults(text: str) -> list[str]:
    """What a test file does that tests must not do."""
    found = []
    for name, call in calls(text):
        first = call.args[0] if call.args else None
        if name.rpartition(".")[2] == "sleep" and not _is_no_wait(first) and ast.unparse(call) not in PASSING_TIME:
            found.append(f"sleeps: {ast.unparse(call)}")
        if name.endswith("monkeypatch.setattr") and not _is_constant_or_foreign(call):
            found.append(f"replaces code: {ast.unparse(call)}")
        if name in ("pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.importorskip") and not _asks_the_system(call):
            found.append(f"skips: {ast.unparse(call)}")
    imported = {alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    found += [f"mocks: {name}" for name in sorted(imported) if name.split(".")[-1] in ("mock", "pytest_mock")]
    return found


def _asks_the_system(call: ast.Call) -> bool:
    """What only one kind of system or user can do is not asked of others; the runs that count are on Linux as root."""
    return ast.unparse(call.func).endswith("skipif") and any(word in ast.unparse(call.args[0]) for word in ("sys.platform", "os.geteuid"))


def _is_no_wait(seconds: ast.expr | None) -> bool:
    """0 gives way to other tasks; a large number waits to be killed."""
    value = seconds.value if isinstance(seconds, ast.Constant) else None
    return isinstance(value, int) and (value == 0 or value >= UNTIL_KILLED_S)


def _is_constant_or_foreign(call: ast.Call) -> bool:
    """A bound of ours (written in capitals) may be made small, and the system may answer otherwise; code stays as it is."""
    first, second = call.args[:2]
    if isinstance(first, ast.JoinedStr):
        first = first.values[0]  # the module comes first
    if isinstance(first, ast.Constant):
        target = str(first.value)
        return not target.startswith("assay.") or target.rpartition(".")[2].isupper()
    return ast.unparse(first) == "sys" or (isinstance(second, ast.Constant) and str(second.value).isupper())


#: the tiers are skipped in one place, where the reason is printed
SKIPS_A_TIER = ("tests/conftest.py", "tests/tools_tier.py")


def test_tests_keep_good_habits() -> None:
    found = {name_of(path): faults(path.read_text(encoding="utf-8")) for path in sources("tests") if name_of(path) not in SKIPS_A_TIER}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import time\ntime.sleep(0.1)", "sleeps"),
        ("import asyncio\nasyncio.sleep(1)", "sleeps"),
        ("from time import sleep\nsleep(5)", "sleeps"),
        ("monkeypatch.setattr('assay.app.lanes.build_lane', print)", "replaces code"),
        ("monkeypatch.setattr(lanes, 'build_lane', print)", "replaces code"),
        ("monkeypatch.setattr(f'assay.app.{name}', print)", "replaces code"),
        ("from unittest.mock import Mock", "mocks"),
        ("import unittest.mock", "mocks"),
        ("import pytest\npytest.skip('later')", "skips"),
        ("import pytest\n@pytest.mark.skipif(True)\ndef test(): pass", "skips"),
    ],
)
def test_a_planted_bad_habit_is_seen(text: str, said: str) -> None:
    assert [fault.partition(":")[0] for fault in faults(text)] == [said]


@pytest.mark.parametrize(
    "text",
    [
        "asyncio.sleep(0)",
        "time.sleep(600)",
        "monkeypatch.setattr(ports, 'PORT_COUNT', 1)",
        "monkeypatch.setattr('os.geteuid', f)",
        "monkeypatch.setattr(f'os.{name}', f)",
        "pytest.mark.skipif(sys.platform != 'linux', reason='…')",
    ],
)
def test_what_is_allowed_is_not_reported(text: str) -> None:
    assert faults(text) == []
