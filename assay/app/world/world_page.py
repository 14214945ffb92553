"""`assay world report`: one HTML file that needs nothing else, with every measure in its corridor and pictures of the world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from assay.app.world import pictures
from assay.app.world.corridors import Measure
from assay.app.world.measures import Measured
from assay.engine.behaviour.campaign_statistics import FIGURES
from assay.engine.identity import WorldIdentity

_HERE = Path(__file__).parent
_STYLE = _HERE.parent / "report" / "style.css"
_TILES = ("fraud_share", "singleton_sessions", "precision", "recall")
_DEGREES = (
    ("Flows of a party", "party_id"),
    ("Flows of a merchant", "merchant_id"),
    ("Flows of a device", "device_id"),
    ("Flows of an address", "ip_id"),
)


def world_page(
    identity: WorldIdentity, scale: str, rows: Measured, measures: Sequence[Measure], counts: dict[str, int], figures: pl.DataFrame
) -> str:
    """The document. `counts`: what there is of everything → how many. `figures`: those of `campaign_figures`."""
    tiles = [(m.name.replace("_", " "), _short(m.value)) for m in measures if m.name in _TILES]
    return (
        _environment()
        .get_template("world_page.html.jinja")
        .render(
            style=_STYLE.read_text(encoding="utf-8"),
            identity=identity.tokens(),
            scale=scale,
            size=" · ".join(f"{count:,} {name}" for name, count in counts.items()),
            whole=rows.whole,
            rows=f"{len(rows.flows):,}",
            tiles=tiles,
            measures=measures,
            held=sum(one.holds for one in measures),
            hard=any(one.group == "difficulty" for one in measures),
            figures=list(figures.iter_rows(named=True)),
            names=FIGURES,
            **_pictures(rows),
        )
    )


def _pictures(rows: Measured) -> dict[str, Any]:
    flows = rows.flows
    shown, span = pictures.amounts(flows)
    ranks = [(title, pictures.ranks(flows.group_by(name).len()["len"].to_numpy())) for title, name in _DEGREES]
    return {
        "week": pictures.week(flows),
        "days": pictures.days(flows),
        "amounts": shown,
        "amount_range": span,
        "ranks": [(title, "count by rank, both logarithmic", path) for title, path in ranks],
        "campaigns": pictures.campaigns(flows),
        "delays": pictures.delays(rows.openings),
    }


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FileSystemLoader(_HERE)
    )
    environment.filters["short"] = _short
    return environment


def _short(value: Any) -> str:
    """Four significant digits at most, without an exponent."""
    number = float(value)
    return (
        f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}" if abs(number) >= 0.001 or number == 0 else f"{number:.6f}".rstrip("0")
    )
