"""The segments of the engine, in the order in which they are made."""

from __future__ import annotations

from assay.engine.arrivals.segment import SEGMENT_5A, SEGMENT_5B
from assay.engine.behaviour.segment import SEGMENT_6B
from assay.engine.entities.segment import SEGMENT_6A
from assay.engine.places.segment import SEGMENT_1A, SEGMENT_1B, SEGMENT_2A, SEGMENT_2B, SEGMENT_3A, SEGMENT_3B
from assay.engine.segment import Segment

SEGMENTS: tuple[Segment, ...] = (
    SEGMENT_1A,
    SEGMENT_1B,
    SEGMENT_2A,
    SEGMENT_2B,
    SEGMENT_3A,
    SEGMENT_3B,
    SEGMENT_5A,
    SEGMENT_5B,
    SEGMENT_6A,
    SEGMENT_6B,
)
