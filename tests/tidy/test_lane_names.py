"""Nothing is decided by the name of a lane: code asks the topology for a role, an effector, a journal or a machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from source_tree import name_of, sources

from assay.agents.topology import TOPOLOGY

NAMES = frozenset(lane.name for lane in TOPOLOGY.lanes)
#: a lane name as a label inside a text, for example of a metric: `{rtdl}`
LABEL = re.compile(r"\{(" + "|".join(sorted(NAMES)) + r")[},]")
#: file → words in it that are lane names and mean something else
OTHER_MEANINGS: dict[str, dict[str, str]] = {
    "assay/agents/specs.py": {"act": "a role", "audit": "a role and a machine"},
    "assay/agents/assembly.py": {"audit": "a machine"},
    "assay/agents/lane_check.py": {"audit": "a machine"},
    "assay/app/cli/__init__.py": {"audit": "a command"},
    "assay/app/demo/finalisation.py": {"audit": "a command"},
    "assay/app/profiles/layout.py": {"audit": "what a topic is for"},
}
TOPOLOGY_FILE = "assay/agents/topology.py"


def lane_names(text: str) -> Iterator[str]:
    """Lane names in the string constants of a source text: whole, or as a label inside a text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [node.value] if node.value in NAMES else LABEL.findall(node.value)


def test_no_code_names_a_lane() -> None:
    found = {name_of(path): set(lane_names(path.read_text(encoding="utf-8"))) for path in sources("assay")}
    breaches = {name: words - set(OTHER_MEANINGS.get(name, ())) for name, words in found.items() if name != TOPOLOGY_FILE}
    assert {name: words for name, words in breaches.items() if words} == {}


def test_the_list_of_other_meanings_only_shrinks() -> None:
    found = {name_of(path): set(lane_names(path.read_text(encoding="utf-8"))) for path in sources("assay")}
    unused = {name: set(words) - found.get(name, set()) for name, words in OTHER_MEANINGS.items()}
    assert {name: words for name, words in unused.items() if words} == {}


@pytest.mark.parametrize(
    "text",
    [
        'if lane.name == "act":\n    pass',
        'ONLY = {"claiming": ("rtdl",)}',
        'spec = TOPOLOGY.lane("audit")',
        'def show(lane: str = "rtdl") -> None: ...',
        'counters.get("assay_lane_rows_total{rtdl}", 0)',
        'counters.get("assay_lane_rows_total{rtdl,0}", 0)',
    ],
)
def test_a_planted_lane_name_is_seen(text: str) -> None:
    assert len(list(lane_names(text))) == 1
