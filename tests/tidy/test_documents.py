"""The README stays short, figures name the claim level of each part, links lead somewhere, and lists in the documentation are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from source_tree import ROOT

from assay.app.cli import COMMANDS
from assay.contracts.exit_codes import EXIT_CODES

README_WORDS_MAX = 900
FIGURE_ROWS_MAX = 8
CLAIM = re.compile(r"\b(?:bus|SQL|objects) (?:smoke|parity|managed) \([A-Za-z ]+\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def documents() -> list[Path]:
    """Every Markdown file that people read."""
    outside = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "infra/README.md"]
    return [*(ROOT / name for name in outside), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "assay").rglob("*.md"))]


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page, as code hosts make them."""
    headings = re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(file: Path, text: str) -> list[str]:
    """Links of a file to files or headings that are not there. Links to other hosts are not followed."""
    dead = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", link):
            continue
        path = (file.parent / target).resolve() if target else file
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            dead.append(link)
    return dead


def first_table(text: str, after: str) -> list[str]:
    """Rows of the first table behind a line, without its head."""
    lines = text.partition(after)[2].splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(line)
    return rows


def figures_at_fault(rows: list[str]) -> list[str]:
    """Rows of figures that do not name the claim level of a part, and those beyond the allowed number."""
    return [row for at, row in enumerate(rows) if at >= FIGURE_ROWS_MAX or not CLAIM.search(row.rstrip("|").rpartition("|")[2])]


@pytest.mark.parametrize(("page", "after"), [("README.md", "## Figures\n"), ("docs/benchmarks.md", "# Benchmarks\n")])
def test_a_table_of_figures_is_short_and_names_claim_levels(page: str, after: str) -> None:
    rows = first_table((ROOT / page).read_text(encoding="utf-8"), after)
    assert rows
    assert figures_at_fault(rows) == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= README_WORDS_MAX


def test_links_lead_to_files_and_headings() -> None:
    found = {path.relative_to(ROOT).as_posix(): dead_links(path, path.read_text(encoding="utf-8")) for path in documents()}
    assert {name: dead for name, dead in found.items() if dead} == {}


def test_every_command_and_every_exit_code_is_documented() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `assay (\w+)` \|", page, re.MULTILINE) == list(COMMANDS)
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(str(one.code), one.meaning, one.remedy) for one in EXIT_CODES]


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    assert [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f": {page.name}\n" not in navigation] == []


def test_planted_faults_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "there.md").write_text("# A Heading, with `code`\n", encoding="utf-8")
    text = "[a](gone.md) [b](there.md) [c](there.md#a-heading-with-code) [d](there.md#other) [e](https://host/x)\n```\n[f](gone.md)\n```\n"
    assert dead_links(page, text) == ["gone.md", "there.md#other"]
    good = "| a | 1 | bus parity (Kafka), objects smoke (directory) |"
    assert first_table(f"## Figures\n\ntext\n\n| x |\n|---|\n{good}\n\n| y |\n", "## Figures\n") == [good]
    assert figures_at_fault([good, "| b | 2 | Kafka |", "| bus parity (Kafka) | 3 |  |"]) == [
        "| b | 2 | Kafka |",
        "| bus parity (Kafka) | 3 |  |",
    ]
    assert figures_at_fault([good] * (FIGURE_ROWS_MAX + 1)) == [good]
