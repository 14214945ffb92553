"""Where objects lie, as people write it: a folder, or `s3://bucket/prefix`."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from assay.app.stores.objects import DirectoryStore, SizedObjects
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

S3 = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def store_of(place: str | Path) -> SizedObjects:
    """The store of a place; nothing is made or asked yet. Raises Stop(FILE_REFUSED) for an address that names no bucket."""
    if not str(place).startswith(S3):
        return DirectoryStore(Path(place))
    bucket, prefix = bucket_of(str(place))
    from assay.app.stores.s3 import S3Store, client_of

    return S3Store(bucket, prefix, client_of())


def bucket_of(place: str) -> tuple[str, str]:
    """Bucket and prefix of an address. Raises Stop(FILE_REFUSED)."""
    bucket, _, prefix = place.removeprefix(S3).partition("/")
    if _BUCKET.fullmatch(bucket) is None:
        remedy = "Write s3://bucket/prefix; a bucket has 3 to 63 small letters, digits, points and hyphens."
        raise Stop(Reason.FILE_REFUSED, "the address names no bucket", where=place, remedy=remedy)
    return bucket, prefix


def shared_store(place: str) -> SizedObjects:
    """The same, with one client of a bucket's server for all who ask in this process. Raises as `store_of`."""
    return _of_bucket(place) if place.startswith(S3) else store_of(place)


@lru_cache(maxsize=8)
def _of_bucket(place: str) -> SizedObjects:
    return store_of(place)


def lasting(place: str) -> str:
    """The place as it is called from any directory; empty stays empty. Raises Stop(FILE_REFUSED) for an address that names no bucket."""
    if not place.startswith(S3):
        return str(Path(place).absolute()) if place else ""
    bucket_of(place)
    return place.rstrip("/")


def below(place: str, name: str) -> str:
    """The place of a folder below another."""
    return f"{place.rstrip('/')}/{name}"
