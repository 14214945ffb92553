"""Stores of a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from troubled_store import Troubled, troubled_store


@pytest.fixture
def troubled(s3: str, s3_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Troubled]:
    """A store behind a proxy that can make trouble, and the same around the proxy."""
    with troubled_store(s3, s3_variables["AWS_ENDPOINT_URL"], partial(monkeypatch.setenv, "AWS_ENDPOINT_URL")) as made:
        yield made
