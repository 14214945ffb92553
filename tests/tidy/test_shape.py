"""Files and functions stay small; what is longer stands in a list with its reason, and the list only shrinks."""

from __future__ import annotations

import ast

from source_tree import Function, functions, name_of, sources

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
#: file → (lines, reason); at most this long, and out of the list once it is short again
LONG_FILES: dict[str, tuple[int, str]] = {
    "assay/contracts/reasons.py": (330, "one list: the closed set of reason codes"),
    "assay/tables/windows.py": (362, "one kernel whose parts are pasted into one another"),
}
#: function → (lines, reason)
LONG_FUNCTIONS: dict[str, tuple[int, str]] = {}
#: machine code is one loop: calls between kernels cost more than length
KERNELS = frozenset({"kernel", "part", "inlined"})


def too_long(found: dict[str, int], longest: int, listed: dict[str, tuple[int, str]]) -> list[str]:
    """What is wrong with lengths: over the limit and not listed, longer than listed, or listed without need."""
    wrong = []
    for name, lines in found.items():
        allowed = listed.get(name, (longest, ""))[0]
        if lines > allowed:
            wrong.append(f"{name} has {lines} lines, allowed are {allowed}")
    wrong += [f"{name} is listed and need not be" for name in listed if found.get(name, 0) <= longest]
    return wrong


def lengths(found: list[Function]) -> dict[str, int]:
    """Lines of functions that are no kernels."""
    return {function.place: function.lines for function in found if not function.decorators & KERNELS}


def missing_docstrings(texts: dict[str, str]) -> list[str]:
    """Names of modules that do not say what they are for."""
    return [name for name, text in texts.items() if not ast.get_docstring(ast.parse(text))]


def test_files_are_short() -> None:
    found = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources("assay", "tests", ".ci")}
    assert too_long(found, FILE_LINES_MAX, LONG_FILES) == []


def test_functions_are_short() -> None:
    files = sources("assay", "tests", ".ci")
    found = [function for path in files for function in functions(path.read_text(encoding="utf-8"), name_of(path))]
    assert too_long(lengths(found), FUNCTION_LINES_MAX, LONG_FUNCTIONS) == []


def test_every_module_says_what_it_is_for() -> None:
    assert missing_docstrings({name_of(path): path.read_text(encoding="utf-8") for path in sources("assay", "tests", ".ci")}) == []


def test_planted_breaches_are_seen() -> None:
    long_function = "def long() -> None:\n" + "    pass\n" * FUNCTION_LINES_MAX
    planted = list(functions(long_function, "a.py"))
    assert too_long(lengths(planted), FUNCTION_LINES_MAX, {}) == ["a.py:long has 41 lines, allowed are 40"]
    assert lengths(list(functions("@kernel\n" + long_function, "a.py"))) == {}
    assert too_long({"b.py": 301}, FILE_LINES_MAX, {}) == ["b.py has 301 lines, allowed are 300"]
    assert too_long({"b.py": 310}, FILE_LINES_MAX, {"b.py": (305, "why")}) == ["b.py has 310 lines, allowed are 305"]
    assert too_long({"b.py": 300}, FILE_LINES_MAX, {"b.py": (305, "why")}) == ["b.py is listed and need not be"]
    assert missing_docstrings({"c.py": "import os\n", "d.py": '"""What it is for."""\n'}) == ["c.py"]
