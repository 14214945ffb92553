"""The tier `tools`: tests that need a program which no package brings. They run where the program is found on PATH.

Elsewhere they are counted and printed as not run, with the name of the program: `@pytest.mark.tools("promtool")`. A test of this tier
keeps the tier of the services that it asks for.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping

import pytest

MARKER = "tools"
ran: Counter[str] = Counter()
not_run: Counter[str] = Counter()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{MARKER}(program, …): needs programs that packages do not bring")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a program that is not here. Its name goes with the report: another process may count it."""
    for item in items:
        programs = [program for marker in item.iter_markers(MARKER) for program in marker.args]
        for program in programs:
            item.user_properties.append((MARKER, program))
        absent = [program for program in programs if shutil.which(program) is None]
        if absent:
            item.add_marker(pytest.mark.skip(reason=f"{', '.join(absent)} not here"))


def programs_of(report: pytest.TestReport) -> list[str]:
    """The programs that a test needs; none for a test of no tools."""
    return [str(program) for name, program in report.user_properties if name == MARKER]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count each test under every program that it needs."""
    if report.skipped:
        not_run.update(program for program in programs_of(report) if shutil.which(program) is None)
    elif report.when == "call":
        ran.update(programs_of(report))


def line(ran: Mapping[str, int], not_run: Mapping[str, int]) -> str:
    """What became of the tests of this tier, by program."""
    parts = [f"{program} {count} ran" for program, count in sorted(ran.items())]
    parts += [f"{program} not here: {count} not run" for program, count in sorted(not_run.items())]
    return f"tools (programs that packages do not bring): {'; '.join(parts) or 'none among the tests asked for'}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line below those of the other tiers."""
    terminalreporter.write_line(line(ran, not_run))
