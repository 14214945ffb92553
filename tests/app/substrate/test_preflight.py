"""The preflight names what is missing, on any Python."""

from __future__ import annotations

import ast
import socket
from pathlib import Path
from typing import Any

import pytest

from assay.app.substrate import preflight

GOOD = preflight.Facts("cpython", (3, 12), True, "Linux", "x86_64", False, 8 * 10**9, 50 * 10**9, True, [], [])


def remedies(**changed: Any) -> list[str]:
    """What the preflight asks for when the good machine is changed so."""
    return [finding.remedy for finding in preflight.judge(GOOD._replace(**changed)) if finding.remedy]


def test_a_machine_that_has_all_is_asked_for_nothing() -> None:
    assert remedies() == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": (3, 8)}, "CPython 3.11 to 3.13"),
        ({"version": (3, 14), "other_pythons": ["python3.12"]}, "found here: python3.12"),
        ({"implementation": "pypy"}, "CPython"),
        ({"has_venv": False}, "python3.12-venv"),
        ({"machine": "aarch64"}, "java >= 17"),
        ({"system": "Windows"}, "WSL"),
        ({"memory": 10**9}, "2.0 GB"),
        ({"disk": 10**9}, "4.0 GB"),
        ({"writable": False}, "cannot be written"),
        ({"busy_ports": [8080]}, "another port"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(changed: dict[str, Any], told: str) -> None:
    (remedy,) = remedies(**changed)
    assert told in remedy


def test_java_on_path_is_enough_where_no_wheel_exists() -> None:
    assert remedies(machine="aarch64", has_java=True) == []


def test_a_port_that_somebody_listens_on_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert preflight.main(["--port", str(port)]) == 1
    assert f"missing  port {port} in use" in capsys.readouterr().out


def test_the_script_is_read_by_an_old_python_without_our_packages() -> None:
    source = Path(preflight.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= {"argparse", "importlib.util", "os", "platform", "shutil", "socket", "sys"}
