"""The classes of an event: payments and what needs a decision, context, labels. Marks are of classes."""

from __future__ import annotations

from typing import Final

TRAFFIC: Final = "traffic"
CONTEXT: Final = "context"
LABEL: Final = "label"
