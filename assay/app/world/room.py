"""Room for a world: about how many bytes it takes, and a refusal before the first of them where the disk has fewer.

The figures are those of written worlds, compressed; tests hold them against worlds of several sizes. Ids of more parties are longer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from assay.app.pack.sealed_pack import SEAL
from assay.app.stores.objects import DirectoryStore, ObjectStore
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason
from assay.engine.parameters import Parameters
from assay.engine.scenario import Scale, Scenario

#: bytes of a flow with all that is told about it, and for each bit of a party's id; of a party with what it has; of a merchant in an hour;
#: of bundles and documents
_FLOW, _BIT, _PARTY, _MERCHANT_HOUR, _DOCUMENTS = 190, 2.7, 125, 17, 250_000
_GB = 1e9


def estimated_bytes(parameters: Parameters) -> int:
    """About how many bytes the files of a world have; no more than a tenth beside the truth for shipped scales."""
    scale, hours = parameters.of(Scale), parameters.of(Scenario).hours
    flow = _FLOW + _BIT * scale.parties.bit_length()
    return int(flow * scale.flows) + _PARTY * scale.parties + _MERCHANT_HOUR * scale.merchants * hours + _DOCUMENTS


def free_bytes(folder: Path) -> int:
    """What the disk of a folder has left for this user; of the nearest one above it that is there."""
    place = folder.absolute()
    while not place.is_dir():
        place = place.parent
    return shutil.disk_usage(place).free


def refuse_no_room(store: ObjectStore, parameters: Parameters, free: Callable[[Path], int] = free_bytes) -> None:
    """Raises Retry(STORE_FULL) where the disk of a folder has less than what is still to be written. A bucket has no known end."""
    if not isinstance(store, DirectoryStore) or (store.root / SEAL).exists():
        return
    wanted, left = estimated_bytes(parameters) - _bytes_below(store.root), free(store.root)
    if wanted > left:
        what = f"the world needs about {wanted / _GB:,.2f} GB more, and the disk has {left / _GB:,.2f} GB free"
        remedy = (
            "Free space there, name a folder on another disk, or take a smaller --scale; then do the same again. Nothing was written now."
        )
        raise Retry(Reason.STORE_FULL, what, where=str(store.root), remedy=remedy)


def _bytes_below(root: Path) -> int:
    """What a call that was cut off left there."""
    return sum((Path(folder) / name).stat().st_size for folder, _, names in os.walk(root) for name in names)
