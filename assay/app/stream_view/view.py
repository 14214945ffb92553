"""The sorted view of an output in its pack: parts, manifest, and the receipt, which is written last. Nothing is overwritten.

A sort that was cut off goes on: it leaves a note of what it sorts, and equal rows give equal parts, so parts that are there are compared.
Two sorts at once do the same and help each other. Whatever else is found in the folder is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.app.pack.interface import CatalogueOutput
from assay.app.pack.sealed_pack import PackPart, SealedPack
from assay.app.stores.objects import LargeObjects, ObjectExists
from assay.app.stream_view.naming import RECEIPT, ROOT, named, source_digests, view_root
from assay.app.stream_view.pinned_keys import SORT_KEYS, dropped_columns
from assay.app.stream_view.sorting import PUBLISH_SHARE, Room, RowSorter, Sorted, pool_of
from assay.app.stream_view.statistics import Statistics
from assay.app.stream_view.view_parts import PART_ROWS, ViewPart, ViewParts, encoded
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

MANIFEST, BEGUN = "_stream_view_manifest.json", "_stream_sort_begun.json"
_TIMES = ("created_utc", "started_utc", "ended_utc")
_REMOVE = "Remove this folder if nobody reads it, and sort the output again; other views are not touched."


@dataclass(frozen=True)
class SortedView:
    """What a call did about one output. `kept`: the view was there already, and its parts are the published ones."""

    output_id: str
    receipt: Mapping[str, Any]
    kept: bool
    spilled_bytes: int = 0


class ViewSorter:
    """Sorts outputs of a pack. `now_us` gives the time of receipts; `told` is called with rows read and with rows published."""

    def __init__(
        self,
        pack: SealedPack,
        store: LargeObjects,
        room: Room,
        now_us: Callable[[], int],
        told: Callable[[int], object],
        *,
        part_rows: int = PART_ROWS,
        encode: Callable[[pl.DataFrame], bytes] = encoded,
    ) -> None:
        self._pack, self._store, self._room, self._now_us, self._told = pack, store, room, now_us, told
        self._part_rows, self._encode = part_rows, encode

    def sort(self, output_id: str) -> SortedView:
        """Make the view of an output, or find it made.

        Raises Stop: OUTPUT_UNKNOWN, OUTPUT_MISSING, MISSING_SORT_KEY, STREAM_RECEIPT_MISMATCH, STREAM_RECEIPT_MISSING,
        STREAM_VIEW_PARTIAL_EXISTS, STREAM_SORT_VALIDATION_FAILED, and what gates and parts of the pack are refused with.
        """
        output = self._pack.output(output_id)
        if output_id not in SORT_KEYS:
            remedy = f"Sorted are: {', '.join(SORT_KEYS)}."
            raise Stop(Reason.MISSING_SORT_KEY, f"{output_id} has no pinned sort key: it does not stream", where=output_id, remedy=remedy)
        parts = self._pack.parts(output)
        root, claim = view_root(output_id), self._claim(output, parts)
        held = self._held(root, claim)
        if held is None:
            held = self._begin(root, claim)
        if held is not None:
            self._told(2 * sum(part.rows for part in parts))
            return SortedView(output_id, held, kept=True)
        return self._make(output, parts, root, claim)

    def _make(self, output: CatalogueOutput, parts: Sequence[PackPart], root: str, claim: dict[str, Any]) -> SortedView:
        keys, dropped = SORT_KEYS[output.output_id], claim["dropped_columns"]
        columns = [name for name in output.columns if name not in dropped]
        started_us = self._now_us()
        with pool_of(self._room) as pool:
            sizes: dict[str, Any] = {"pool": pool, "window": self._room.workers, "part_rows": self._part_rows, "steps": self._room.steps}
            sizes["memory"] = self._room.memory // PUBLISH_SHARE
            view = ViewParts(self._store, root, keys, **sizes, encode=self._encode, told=self._told)
            done = RowSorter(self._pack, parts, columns, keys, self._room, pool).sort(view.add, self._told)
            found = view.end()
        self._refuse_others(root, view.parts)
        _validate(done.raw, found, root)
        receipt = self._seal(root, claim, view.parts, done, started_us)
        return SortedView(output.output_id, receipt, kept=False, spilled_bytes=done.spilled_bytes)

    def _claim(self, output: CatalogueOutput, parts: Sequence[PackPart]) -> dict[str, Any]:
        """What the view is of, and how it is made."""
        identity = self._pack.identity
        return {
            **named(identity.pack_id, identity.world_key["scenario_id"], output.output_id),
            "stream_view_root": ROOT,
            "output_ids": [output.output_id],
            "engine_run_id": identity.run_id,
            "world_key": dict(identity.world_key),
            "dropped_columns": list(dropped_columns(output)),
            "part_rows": self._part_rows,
            **source_digests((part.path for part in parts), (part.sha256 for part in parts)),
        }

    def _held(self, root: str, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        """The receipt of a view that is complete, None without a receipt."""
        key = f"{root}/{RECEIPT}"
        try:
            receipt = json.loads(self._store.read(key))
            differing = [name for name, value in claim.items() if receipt.get(name) != value]
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError):
            differing = ["form"]
        if differing:
            what = f"the receipt is that of another view: it differs in {', '.join(differing)}"
            raise Stop(Reason.STREAM_RECEIPT_MISMATCH, what, where=key, remedy=_REMOVE)
        check_parts(self._store, receipt)
        return dict(receipt)

    def _begin(self, root: str, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        """Note what is sorted here. The receipt if another sort ended meanwhile."""
        key, note = f"{root}/{BEGUN}", _bytes(claim)
        found: list[str] = []
        for _ in range(2):  # another sort may begin or end between two looks
            try:
                ours = self._store.read(key) == note
            except FileNotFoundError:
                found = list(self._store.keys(root))
                if found and (receipt := self._held(root, claim)) is not None:
                    return receipt
                ours = not found and _created(self._store, key, note)
            if ours:
                return None
        if f"{root}/{MANIFEST}" in found:
            what = "the view has a manifest and no receipt"
            raise Stop(Reason.STREAM_RECEIPT_MISSING, what, where=f"{root}/{RECEIPT}", remedy=_REMOVE)
        what = "the folder holds parts of a view that no sort of this output began"
        raise Stop(Reason.STREAM_VIEW_PARTIAL_EXISTS, what, where=root, remedy=_REMOVE)

    def _refuse_others(self, root: str, parts: Sequence[ViewPart]) -> None:
        known = {part.path for part in parts} | {f"{root}/{name}" for name in (MANIFEST, RECEIPT, BEGUN)}
        if others := [key for key in self._store.keys(root) if key not in known]:
            what = "the folder holds a file that is none of the view's"
            raise Stop(Reason.STREAM_VIEW_PARTIAL_EXISTS, what, where=others[0], remedy=_REMOVE)

    def _seal(self, root: str, claim: dict[str, Any], parts: Sequence[ViewPart], done: Sorted, started_us: int) -> dict[str, Any]:
        """Write manifest and receipt, in this order, and take the note away."""
        ended = instants.text(self._now_us())
        self._document(f"{root}/{MANIFEST}", {**claim, "created_utc": ended})
        statistics = {name: done.raw.document() for name in ("raw_stats", "sorted_stats")}
        locators = [part.locator() for part in parts]
        times = {"started_utc": instants.text(started_us), "ended_utc": ended, "created_utc": ended}
        receipt = self._document(f"{root}/{RECEIPT}", {**claim, **statistics, "parts": locators, **times, "status": "OK"})
        self._store.remove(f"{root}/{BEGUN}")
        return receipt

    def _document(self, key: str, document: dict[str, Any]) -> dict[str, Any]:
        """Write a document; one that is there must be the same but for its times."""
        if _created(self._store, key, _bytes(document)):
            return document
        held: dict[str, Any] = json.loads(self._store.read(key))
        if {**held, **dict.fromkeys(_TIMES)} != {**document, **dict.fromkeys(_TIMES)}:
            raise Stop(Reason.STREAM_RECEIPT_MISMATCH, "the document is that of another view", where=key, remedy=_REMOVE)
        return held


def sortable(pack: SealedPack) -> list[str]:
    """The outputs of a pack that stream. Raises Stop(OUTPUT_MISSING) if there is none."""
    found = [output_id for output_id in SORT_KEYS if output_id in pack.interface.outputs]
    if not found:
        raise Stop(Reason.OUTPUT_MISSING, "the catalogue has no output that streams", remedy=f"Sorted are: {', '.join(SORT_KEYS)}.")
    return found


def check_parts(store: LargeObjects, receipt: Mapping[str, Any]) -> None:
    """Every part that a receipt lists is there as it was published. Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH)."""
    for part in receipt["parts"]:
        try:
            found = hashlib.sha256(store.view(part["path"])).hexdigest()
        except FileNotFoundError:
            raise Stop(Reason.OBJECT_MISSING, "a part of the view is missing", where=part["path"], remedy=_REMOVE) from None
        if found != part["content_digest"]["hex"]:
            raise Stop(Reason.DIGEST_MISMATCH, "the part is not the one that the receipt lists", where=part["path"], remedy=_REMOVE)


def _validate(raw: Statistics, found: Statistics, root: str) -> None:
    if raw != found:
        what = f"the sorted rows are not the raw ones: {found.document()}, raw {raw.document()}"
        remedy = "This is a fault of the sort; the view has no receipt, so nobody reads it. Report it with the output's name."
        raise Stop(Reason.STREAM_SORT_VALIDATION_FAILED, what, where=root, remedy=remedy)


def _created(store: LargeObjects, key: str, data: bytes) -> bool:
    """Whether an object was written, or was there with the same bytes."""
    try:
        store.create(key, data)
    except ObjectExists:
        return store.read(key) == data
    return True


def _bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
