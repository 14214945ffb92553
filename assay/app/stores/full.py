"""A disk without room names itself: which file did not fit, and what helps."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: no space, no quota, and a file beyond the size that the process may write
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


_NUMBER = re.compile(r"\(os error (\d+)\)")


def is_full(error: OSError) -> bool:
    """Whether a write found no room. Libraries written in Rust, as polars is, have the system's number in the text only."""
    number = _NUMBER.search(str(error))
    return (int(number[1]) if error.errno is None and number else error.errno) in FULL


class StoreFull(Retry, OSError):
    """A write found no room. It is also the OSError that it was: who handles a failed write handles this one."""

    def __init__(self, path: str, error: OSError) -> None:
        Retry.__init__(
            self,
            Reason.STORE_FULL,
            f"there is no room for a file: {error.strerror or error}",
            where=path,
            remedy="Free space there, or raise the quota or the file size limit; then do the same again. Nothing was acknowledged.",
        )
        self.errno, self.strerror = error.errno, error.strerror


@contextmanager
def naming_full(path: Path) -> Iterator[None]:
    """Writes to a file. Raises StoreFull where there is no room, any other OSError as it is."""
    try:
        yield
    except OSError as error:
        if not is_full(error) or isinstance(error, StoreFull):
            raise
        raise StoreFull(str(path), error) from None
