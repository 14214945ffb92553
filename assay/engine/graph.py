"""The segments of the engine, in the order in which they are made."""

from __future__ import annotations

from assay.engine.segment import Segment

SEGMENTS: tuple[Segment, ...] = ()
