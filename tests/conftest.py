"""Fixtures for every test, the tiers, and the line that says which tiers ran and why the others did not."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import reasons_met
import s3_server
import tools_tier
from effort import drawn

from assay.app.settings import Settings, load_settings
from assay.testing import dsn, kafka, namespace, postgres, server_room, settings

__all__ = ["dsn", "kafka", "namespace", "postgres", "server_room", "settings"]

# a busy machine must not fail a law; each run draws other examples
hypothesis.settings.register_profile("no_deadline", deadline=None, max_examples=drawn(60))
hypothesis.settings.load_profile("no_deadline")

TIERS = {
    "tier0": "no services",
    "tier1": "PostgreSQL, S3",
    "tier2": "Apache Kafka",
    "tier3": "large data from ASSAY_TIER3_DATA",
}
NEEDS = {"postgres": "tier1", "dsn": "tier1", "s3": "tier1", "kafka": "tier2"}
ran: Counter[str] = Counter()
skipped: Counter[str] = Counter()
left_out: Counter[str] = Counter()


@pytest.fixture(scope="session")
def s3_variables(server_room: Path, settings: Settings) -> Iterator[dict[str, str]]:
    """A real S3 server: the variables by which its clients find it."""
    server, variables = s3_server.start(server_room / "s3", s3_server.built(settings.cache))
    yield variables
    server.stop()


@pytest.fixture
def s3(s3_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket; the environment says where its server is."""
    from assay.app.stores.s3 import client_of

    for name, value in s3_variables.items():
        monkeypatch.setenv(name, value)
    bucket = f"t{secrets.token_hex(5)}"
    client_of().create_bucket(Bucket=bucket)
    return bucket


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is not there is given up soon."""
    for module in ("offsets", "topics"):
        monkeypatch.setattr(f"assay.app.bus.{module}.ANSWER_MAX_S", 0.5)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the refusal codes that the product produces are written down, see tests/reasons_met.py."""
    parser.addoption("--reasons", type=Path, default=None, metavar="FOLDER", help="write the refusal codes that were produced here")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the tiers."""
    if config.getoption("reasons") is not None:
        reasons_met.watch(config.getoption("reasons"))
    config.pluginmanager.register(tools_tier)
    for name, what in TIERS.items():
        config.addinivalue_line("markers", f"{name}: {what}")
    config.addinivalue_line("markers", "long: takes minutes; left out unless -m names it (make test-long)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test the tier of the services it asks for, and tier 0 if it asks for none and names none."""
    data = load_settings().tier3_data
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in NEEDS:
                item.add_marker(NEEDS[fixture])
        if not tiers_of(item):
            item.add_marker("tier0")
        if data is None and item.get_closest_marker("tier3"):
            item.add_marker(pytest.mark.skip(reason="ASSAY_TIER3_DATA names no directory"))
    if "long" not in config.getoption("markexpr"):
        left = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def tiers_of(item: pytest.Item) -> list[str]:
    """The tiers a test is marked with."""
    return [tier for tier in TIERS if item.get_closest_marker(tier)]


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what a marker or keyword expression left out."""
    for item in items:
        left_out.update(tiers_of(item)[-1:])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what ran and what was skipped, under its highest tier; tests of tools are counted by tool."""
    if tools_tier.programs_of(report):
        return
    tier = [tier for tier in TIERS if tier in report.keywords][-1:]
    if report.skipped:
        skipped.update(tier)
    elif report.when == "call":
        ran.update(tier)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line per tier."""
    terminalreporter.section("tiers")
    for tier, what in TIERS.items():
        parts = [f"{ran[tier]} ran"] if ran[tier] else []
        if skipped[tier]:
            parts.append(f"{skipped[tier]} skipped" + (": ASSAY_TIER3_DATA names no directory" if tier == "tier3" else ""))
        if left_out[tier]:
            parts.append(f"{left_out[tier]} left out by -m or -k")
        terminalreporter.write_line(f"{tier} ({what}): {', '.join(parts) or 'none among the tests asked for'}")
