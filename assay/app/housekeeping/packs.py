"""Packs of generated worlds below a root: which there are, which of them runs refer to, and the removal of those that nobody keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from assay.app.housekeeping.listing import is_run
from assay.app.pack.sealed_pack import RECEIPT, SEAL
from assay.app.progress import unseen
from assay.app.stores.objects import DirectoryStore, SizedObjects
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class PackFound(NamedTuple):
    """A pack by its folder below the root, with its objects and their bytes."""

    folder: str
    manifest_fingerprint: str
    seed: int
    objects: int
    size_bytes: int

    @property
    def name(self) -> str:
        """What names this world and no other: fingerprint and seed."""
        return f"{self.manifest_fingerprint}:{self.seed}"

    @property
    def names(self) -> tuple[str, str]:
        """What keeps it: its own name, or the fingerprint, which worlds of other seeds have, too."""
        return self.name, self.manifest_fingerprint


def prunable(store: SizedObjects, keep: Collection[str], runs: Path) -> tuple[list[PackFound], list[PackFound]]:
    """Packs that stay, and those that would go. keep: of `names`; a fingerprint keeps all its seeds.

    Raises Stop(PACK_NOT_FOUND) for a name to be kept that no pack has, Stop(PACK_IN_USE) for a pack that would go and that a run
    refers to, Stop(FILE_REFUSED) for a root that is a pack itself, Stop(RUN_RECEIPT_INVALID).
    """
    found = packs_below(store)
    unknown = {*keep} - {name for pack in found for name in pack.names}
    if unknown:
        remedy = "Name a manifest_fingerprint, or fingerprint:seed for one world; nothing was removed."
        raise Stop(Reason.PACK_NOT_FOUND, f"no pack is named {min(unknown)}", where=RECEIPT, remedy=remedy)
    going = [pack for pack in found if {*pack.names}.isdisjoint(keep)]
    worlds = list(worlds_of_runs(runs))
    for pack in going:
        user = _run_around(store, pack) or next((run for run, world in worlds if world in (None, _world(pack))), None)
        if user is not None:
            what = f"the run {user} refers to the pack {pack.folder}, or does not say to which it does"
            remedy = f"Keep it (--keep {pack.name}), or remove the run first: `assay runs remove`. Nothing was removed."
            raise Stop(Reason.PACK_IN_USE, what, where=pack.folder, remedy=remedy)
    return [pack for pack in found if pack not in going], going


def packs_below(store: SizedObjects) -> list[PackFound]:
    """Every pack below a root, also one that was cut off before its seal. Raises Stop(FILE_REFUSED, RUN_RECEIPT_INVALID)."""
    keys = list(store.keys(""))
    if RECEIPT in keys:
        raise Stop(Reason.FILE_REFUSED, "this is a pack, not a folder of packs", where=RECEIPT, remedy="Name the folder above it.")
    return [_found(store, key.rpartition("/")[0], keys) for key in keys if key.endswith(f"/{RECEIPT}")]


def remove_pack(store: SizedObjects, pack: PackFound, told: Callable[[int], object] = unseen) -> None:
    """Remove a pack: its seal first, so nobody reads what is left; its receipt last, so the same call finds what a cut left."""
    last = f"{pack.folder}/{RECEIPT}"
    keys = [f"{pack.folder}/{SEAL}", *(key for key in store.keys(pack.folder) if key != last), last]
    for number, key in enumerate(keys):
        store.remove(key)
        told(number)
    store.remove_below(pack.folder)


def worlds_of_runs(runs: Path) -> Iterator[tuple[Path, tuple[str, int] | None]]:
    """Each run below a directory with fingerprint and seed of its world; None for a run whose world cannot be read."""
    for directory in sorted(path for path in runs.iterdir() if (path / "run.json").is_file()) if runs.is_dir() else ():
        try:
            config: dict[str, Any] = json.loads((directory / "run.json").read_bytes())["config"]
            yield directory, (str(config["manifest_fingerprint"]), int(config["seed"]))
        except (ValueError, KeyError, TypeError):
            yield directory, None


def total_bytes(packs: Sequence[PackFound]) -> int:
    """Bytes of several packs."""
    return sum(pack.size_bytes for pack in packs)


def _found(store: SizedObjects, folder: str, keys: Sequence[str]) -> PackFound:
    own = [key for key in keys if key.startswith(f"{folder}/")]
    try:
        receipt = json.loads(store.read(f"{folder}/{RECEIPT}"))
        return PackFound(folder, str(receipt["manifest_fingerprint"]), int(receipt["seed"]), len(own), sum(map(store.size, own)))
    except (ValueError, KeyError, TypeError):
        remedy = "Nobody can say which world this is. Look at it, and remove it by hand; nothing was removed."
        raise Stop(Reason.RUN_RECEIPT_INVALID, "the engine's receipt cannot be read", where=f"{folder}/{RECEIPT}", remedy=remedy) from None


def _world(pack: PackFound) -> tuple[str, int]:
    return pack.manifest_fingerprint, pack.seed


def _run_around(store: SizedObjects, pack: PackFound) -> Path | None:
    """The run in whose directory a pack lies: a demo keeps its own world there."""
    if not isinstance(store, DirectoryStore):
        return None
    place = (store.root / pack.folder).resolve()
    return next((path for path in (place, *place.parents) if is_run(path)), None)
