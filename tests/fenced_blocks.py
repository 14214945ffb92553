"""A page of documentation as a program: files it asks the reader to save, commands it shows, and outputs it promises."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(
    r"(?P<servers><!-- needs servers -->\n)?"
    r"```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
#: stands for any text; on a line of its own for any lines
ANY = "…"


class Step(NamedTuple):
    """Shell commands with the output the page shows for them; None where it shows none."""

    script: str
    output: str | None
    needs_servers: bool


def steps(page: str) -> list[Step]:
    """The actions of a reader, in order. A block with a title is a file to save; `sh` is executed; `text` is the output before it."""
    found: list[Step] = []
    for block in _BLOCK.finditer(page):
        language, title, text = block["language"], block["title"], block["text"]
        if title:
            found.append(Step(_saved(title, text), None, needs_servers=False))
        elif language == "sh":
            found.append(Step(text, None, bool(block["servers"])))
        elif language == "text":
            found[-1] = found[-1]._replace(output=text)
    return found


def _saved(path: str, text: str) -> str:
    return f"mkdir -p \"$(dirname '{path}')\"\ncat > '{path}' <<'END-OF-FILE'\n{text}END-OF-FILE\n"


def run(todo: list[Step], folder: Path, environment: Mapping[str, str], timeout_s: float = 240.0) -> list[str]:
    """Run steps in one shell, so that `cd`, `export` and variables last. The output of each; raises AssertionError for one that fails."""
    outputs = [folder / f"output-{number}" for number in range(len(todo))]
    parts = [f"{{\n{step.script}}} > '{output}' 2>&1\n" for step, output in zip(todo, outputs, strict=True)]
    (folder / "all.sh").write_text("set -eu\n" + "".join(parts), encoding="utf-8")
    ended = subprocess.run(["bash", folder / "all.sh"], cwd=folder / "home", env={**environment}, timeout=timeout_s, check=False)
    written = [output.read_text(encoding="utf-8") for output in outputs if output.exists()]
    if ended.returncode:
        failed = todo[len(written) - 1]
        raise AssertionError(f"exit code {ended.returncode} of\n{failed.script}\nwhich printed\n{written[-1]}")
    return written


def differs(shown: str, printed: str) -> str | None:
    """The first shown line that the printed output does not have where the page says so; None when all are there.

    Blanks at the ends of lines do not count. `…` in a line stands for any text, `…` alone for any number of lines.
    """
    lines = [line.rstrip() for line in printed.rstrip("\n").splitlines()]
    at, anywhere = 0, False
    for line in map(str.rstrip, shown.rstrip("\n").splitlines()):
        if line == ANY:
            anywhere = True
            continue
        pattern = ".*".join(map(re.escape, line.split(ANY)))
        places = range(at, len(lines) if anywhere else min(at + 1, len(lines)))
        found = next((place for place in places if re.fullmatch(pattern, lines[place])), None)
        if found is None:
            return line
        at, anywhere = found + 1, False
    return None if anywhere or at == len(lines) else f"nothing more, but there is: {lines[at]}"
