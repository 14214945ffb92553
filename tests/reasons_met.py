"""Which refusal codes the product has produced while tests ran, and the step of `make test` that fails for those it has not.

A code leaves the product as text: an error builds its message, a record, a receipt or an answer names it. Each of these asks a member
of `Reason` for its `value`, so that is where this looks on; the code that asks must be the product's own, and no module being imported.
An error counts where it is made: the product may show one that a test has raised. What another process says is given to `seen` by the
helpers that read it. Every code met becomes an empty file, named after the code.

usage: reasons_met.py FOLDER
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path
from types import FrameType

from assay.contracts.reasons import Reason

#: they put a code into words for whoever calls them; a test may call them with any
_ERRORS = "assay.contracts.errors"
_ON_BEHALF = (_ERRORS, "assay.codecs.quarantine")
met: set[str] = set()
_folder: list[Path] = []


def watch(folder: Path | None = None) -> None:
    """Note every code that the product puts into words in this process from now on. The value stays what it is.

    With a folder each is written down there at once, for the last step.
    """
    _folder[:] = [] if folder is None else [folder.resolve()]  # tests change the working directory

    def value(reason: Reason) -> str:
        text: str = reason._value_
        if text not in met and _is_product(sys._getframe(1)):
            _note(text)
        return text

    setattr(Reason, "value", property(value))  # noqa: B010 - its type says that it cannot be set


def _note(code: str) -> None:
    met.add(code)
    for folder in _folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / code).touch()  # an empty file: tests with a full disk note codes too


def _is_product(frame: FrameType | None) -> bool:
    shown = False
    while frame is not None and frame.f_globals.get("__name__") in _ON_BEHALF:
        if frame.f_globals["__name__"] == _ERRORS:
            shown = frame.f_code.co_name != "__init__"
        frame = frame.f_back
    if shown:
        return False
    if frame is None or frame.f_code.co_name == "<module>":
        return False
    return str(frame.f_globals.get("__name__")).startswith("assay.")


def seen(text: str, planted: Collection[str] = ()) -> str:
    """What another process of the product said, as it is; its codes are noted, but for those that a test has planted in it."""
    for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text):
        if word in Reason.__members__ and word not in met and word not in planted:
            _note(word)
    return text


def never_met(folder: Path) -> list[str]:
    """Codes that no process has met, each with the files that use it."""
    found = {path.name for path in folder.iterdir()}
    return [f"{reason.name}: used by {', '.join(_users(reason.name)) or 'nothing'}" for reason in Reason if reason.name not in found]


def _users(code: str) -> list[str]:
    root = Path(__file__).parents[1]
    files = sorted(path for path in (root / "assay").rglob("*.py") if path.name != "exit_codes.py")
    using = re.compile(rf"Reason\.{code}\b")
    return [path.relative_to(root).as_posix() for path in files if using.search(path.read_text(encoding="utf-8"))]


def main() -> int:
    """The last step of `make test`."""
    folder = Path(sys.argv[1])
    missing = never_met(folder)
    for line in missing:
        print(f"no test produced {line}")
    if missing:
        print("Write a row that makes the product refuse with this code, or delete it from assay/contracts/reasons.py.")
        return 1
    print(f"every one of {len(Reason)} refusal codes was produced by a test")
    return 0


if __name__ == "__main__":
    sys.exit(main())
