"""The policy of the streamer's key on S3, as the documentation shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "platforms.md"


def documented(bank: str, run: str, bucket: str) -> list[dict[str, Any]]:
    """The statements that the page shows, for a bank and a run in one bucket."""
    text = PAGE.read_text(encoding="utf-8").partition('title="streamer-policy.json"\n')[2].partition("```")[0]
    for name, place in (("BANKS/BANK", f"{bucket}/{bank}"), ("RUNS/RUN", f"{bucket}/{run}"), ("RUNS", bucket)):
        text = text.replace(f":::{name}", f":::{place}")
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found
