"""Asking a worker process over its web view."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any


def get_text(port: int, path: str) -> str | None:
    """The body of an answer, also of a refusal; None while nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return str(response.read(), "utf-8")
    except urllib.error.HTTPError as error:
        return str(error.read(), "utf-8")
    except OSError:
        return None


def get_json(port: int, path: str) -> Any:
    """The same as JSON."""
    text = get_text(port, path)
    return None if text is None else json.loads(text)


def lanes_at(port: int) -> list[str] | None:
    """Lanes a worker owns, None before its web view answers."""
    health = get_json(port, "/healthz")
    return None if health is None else list(health["lanes"])
