"""A store of a real S3 server behind a proxy that can make trouble."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from faulty_proxy import FaultyProxy

from assay.app.stores.s3 import S3Store, client_of


class Troubled(NamedTuple):
    """The same objects: through the proxy, by a client that soon gives up, and around it."""

    proxy: FaultyProxy
    store: S3Store
    around: S3Store


def impatient_client() -> Any:
    """A client that soon gives up. A trouble may cost a call two tries: its connection ends, and the next one is in trouble."""
    return client_of(tries=3, within_s=1)


def port_of(address: str) -> int:
    """The port of an address."""
    return urlsplit(address).port or 0


@contextmanager
def troubled_store(bucket: str, address: str, point_to: Callable[[str], object]) -> Iterator[Troubled]:
    """A store below a prefix of its own. `address` is the server's; `point_to` is called with the proxy's, which new clients take."""
    prefix = secrets.token_hex(4)
    around = S3Store(bucket, prefix, client_of())
    with FaultyProxy(port_of(address)) as proxy:
        point_to(proxy.address)
        yield Troubled(proxy, S3Store(bucket, prefix, impatient_client()), around)
