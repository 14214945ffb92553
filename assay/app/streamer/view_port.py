"""What a streamer may read of a world: the objects of its sorted views, and nothing else."""

from __future__ import annotations

from typing import Final

from assay.app.stores.published import Readable
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: the folder of sorted views in a world
VIEWS: Final = "stream_view"


class ViewPort:
    """A world's store, closed but for the views below `root`. An S3 key may be narrowed to the same prefix."""

    def __init__(self, store: Readable, root: str = VIEWS) -> None:
        self._store, self._root = store, f"{root.rstrip('/')}/"

    def read(self, key: str) -> bytes:
        """The whole object. Raises Stop(OUTSIDE_STREAM_VIEW) for another prefix, FileNotFoundError."""
        if not key.startswith(self._root) or {"..", "."} & {*key.split("/")}:
            what = f"a streamer reads {self._root} only"
            remedy = "The facts view of the run names an object that is no sorted view: find out who wrote it."
            raise Stop(Reason.OUTSIDE_STREAM_VIEW, what, where=key, remedy=remedy)
        return self._store.read(key)
