"""Nothing lists a store or a folder to find its newest pack: a world is named by whoever wants it, as a listing may be late or hold more.

The rule sees a listing whose last, largest or newest entry is taken, in one expression or by a name within one function. A loop that
keeps the last key that it saw is not seen: this is for review.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_tree import name_of, sources

#: calls that list; `keys` of a store takes a prefix, that of a dictionary nothing
LISTINGS = frozenset({"iterdir", "glob", "rglob", "listdir", "scandir", "list_objects", "list_objects_v2"})
#: calls that pick or put in order, and times by which a newest file is found
PICKS = frozenset({"max", "min", "nlargest", "nsmallest", "reversed", "last", "deque"})
TIMES = frozenset({"st_mtime", "st_mtime_ns", "st_ctime", "st_ctime_ns", "getmtime", "getctime", "LastModified"})
#: place → why the newest of a listing is meant there; no world is found so
ALLOWED: dict[str, str] = {
    "assay/app/gate/decisions.py:_audited": "searches all segments of a run's chain; where it begins is speed",
    "assay/app/gate/decisions.py:_quarantined": "gives all records of an id in an order that people read",
    "assay/app/gate/segments.py:_look_for": "the only writer of its segments looks at the last that it wrote",
    "assay/app/snapshots/store.py:found": "gives all snapshots of a lane; each is verified before it is used",
}


def newest_of_listings(text: str, name: str) -> Iterator[str]:
    """Places in a source text where the newest of a listing is taken, as `file:function`."""
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    of_functions = {id(node) for one in functions for node in ast.walk(one)}
    outside = [node for node in ast.walk(tree) if id(node) not in of_functions]
    for scope, nodes in [("", outside), *((one.name, list(ast.walk(one))) for one in functions)]:
        held = _names_of_listings(nodes)
        if any(_takes_newest(node, held) for node in nodes):
            yield f"{name}:{scope}"


def _names_of_listings(nodes: list[ast.AST]) -> frozenset[str]:
    held: frozenset[str] = frozenset()
    for _ in range(2):  # a name of a name of a listing
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None and _lists(node.value, held):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                held |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return held


def _lists(node: ast.AST, held: frozenset[str]) -> bool:
    """Whether an expression is made of a listing."""
    return any((isinstance(one, ast.Name) and one.id in held) or (isinstance(one, ast.Call) and _is_listing(one)) for one in ast.walk(node))


def _is_listing(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in LISTINGS or (name == "keys" and bool(call.args))


def _takes_newest(node: ast.AST, held: frozenset[str]) -> bool:
    if isinstance(node, ast.Subscript):
        index = ast.unparse(node.slice)
        return index.startswith("-") and _lists(node.value, held)
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func).rpartition(".")[2]
    given = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    of_listing = any(_lists(one, held) for one in given)
    backwards = any(word.arg == "reverse" for word in node.keywords)
    by_time = any(word.arg == "key" and TIMES & {*_words(word.value)} for word in node.keywords)
    return of_listing and (name in PICKS or (name == "pop" and len(node.args) == 0) or backwards or by_time)


def _words(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute):
            yield one.attr
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def test_nothing_takes_the_newest_of_a_listing() -> None:
    found = {place for path in sources("assay") for place in newest_of_listings(path.read_text(encoding="utf-8"), name_of(path))}
    assert found - ALLOWED.keys() == set()
    assert ALLOWED.keys() - found == set(), "listed and not there any longer"


@pytest.mark.parametrize(
    "body",
    [
        "max(store.keys('oracle'))",
        "max(store.keys(prefix), key=len)",
        "sorted(store.keys(''))[-1]",
        "list(store.keys(''))[-2:]",
        "sorted(root.glob('*/_SEALED.json'), reverse=True)[0]",
        "sorted(root.iterdir(), key=lambda path: path.stat().st_mtime)",
        "next(reversed(sorted(root.iterdir())))",
        "[key for key in store.keys('oracle') if key.endswith('_SEALED.json')][-1]",
        "client.list_objects_v2(Bucket=bucket)['Contents'][-1]",
    ],
)
def test_a_planted_search_for_the_newest_is_seen(body: str) -> None:
    assert list(newest_of_listings(f"def find(store, root):\n    return {body}\n", "a.py")) == ["a.py:find"]


def test_one_that_goes_by_names_is_seen_too() -> None:
    text = "def find(store):\n    keys = sorted(store.keys('oracle'))\n    packs = [key for key in keys if key]\n    return packs[-1]\n"
    assert list(newest_of_listings(text, "a.py")) == ["a.py:find"]
    assert list(newest_of_listings("keys = sorted(store.keys('x'))\nkeys.sort(reverse=True)\n", "a.py")) == ["a.py:"]
    assert list(newest_of_listings("def find(store):\n    keys = list(store.keys('x'))\n    return keys.pop()\n", "a.py")) == ["a.py:find"]


def test_listings_that_are_read_whole_and_dictionaries_are_not_meant() -> None:
    for body in (
        "[key for key in store.keys('oracle')]",
        "max(counts.keys())",
        "max(rows)",
        "sorted(root.iterdir())",
        "next(iter(store.keys(root)), None)",
        "rows[-1]",
        "store.read(key)[-1]",
    ):
        assert list(newest_of_listings(f"def find(store, root, counts, rows, key):\n    return {body}\n", "a.py")) == [], body
