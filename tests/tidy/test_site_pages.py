"""The site's pages: links of the repository become links between pages, every public module has its place, nothing comes from elsewhere."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from source_tree import ROOT, name_of, sources

PAGES: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "site_pages.py"))


@pytest.mark.parametrize(
    ("source", "written", "linked"),
    [
        ("README.md", "[a](docs/chaos.md)", "[a](chaos.md)"),
        ("README.md", "[a](docs/benchmarks.md#the-rivals)", "[a](benchmarks.md#the-rivals)"),
        ("README.md", "[a](docs/decisions/)", "[a](decisions/index.md)"),
        ("README.md", "[a](assay/contracts/policies/rules.md)", "[a](rules.md)"),
        ("docs/tutorial.md", "[a](../assay/contracts/policies/rules.md)", "[a](rules.md)"),
        ("docs/decisions/0005-x.md", "[a](0010-y.md) [b](../chaos.md)", "[a](0010-y.md) [b](../chaos.md)"),
        ("infra/README.md", "[a](../README.md)", "[a](index.md)"),
        ("README.md", "[a](https://host/docs/x.md) [b](#figures)", "[a](https://host/docs/x.md) [b](#figures)"),
        ("README.md", "```\n[a](docs/chaos.md)\n```", "```\n[a](docs/chaos.md)\n```"),
    ],
)
def test_links_of_the_repository_become_links_between_pages(source: str, written: str, linked: str) -> None:
    assert PAGES["linked"](written, source) == linked


def test_every_page_that_is_not_in_docs_has_a_file() -> None:
    assert [source for source in PAGES["OUTSIDE"] if not (ROOT / source).is_file()] == []


def test_every_public_module_below_app_is_in_the_reference() -> None:
    shown = {module for packages in PAGES["API"].values() for package in packages for module in PAGES["modules_of"](package)}
    below_app = [path for path in sources("assay") if "app" not in path.parts and not path.name.startswith("_")]
    wanted = {name_of(path).removesuffix(".py").replace("/", ".") for path in below_app}
    assert wanted - shown == {"assay.testing"}  # it only names what the two modules beside it hold
    assert shown <= wanted


def test_decisions_are_listed_with_their_titles() -> None:
    assert "- [0001 · Five packages under one import root](0001-one-import-root.md)\n" in PAGES["decisions_page"]()
    assert [path.name for path in PAGES["decisions"]() if not path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]} · ")] == []


@pytest.mark.parametrize(
    ("name", "text", "seen"),
    [
        ("a.html", '<script src="https://host/a.js"></script>', True),
        ("a.html", '<img alt="" src=//host/a.png>', True),
        ("a.html", '<link rel="stylesheet" href="https://host/a.css">', True),
        ("a.css", "@import 'https://host/a.css';", True),
        ("a.css", "b { background: url(https://host/a.png) }", True),
        ("a.html", '<a href="https://host/">a link to follow</a><script src="assets/a.js"></script>', False),
    ],
)
def test_a_site_that_loads_from_elsewhere_is_seen(tmp_path: Path, name: str, text: str, *, seen: bool) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert bool(PAGES["remote"](tmp_path)) is seen
