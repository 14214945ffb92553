"""`assay world report`: one HTML file that needs nothing else, with every measure in its corridor and pictures of the world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from assay.app.world import pictures
from assay.app.world.campaigns import Distance
from assay.app.world.corridors import Measure
from assay.app.world.measures import Measured
from assay.app.world.words import FIGURES, GROUPS, kind, words_of
from assay.engine.identity import WorldIdentity

_HERE = Path(__file__).parent
_STYLE = _HERE.parent / "report" / "style.css"
#: measure → its name on a tile
_TILES = {
    "fraud_share": "fraud",
    "singleton_sessions": "sessions with one payment",
    "precision": "precision of the bank",
    "recall": "recall of the bank",
}
_DEGREES = (
    ("Payments of a customer", "party_id"),
    ("Payments of a merchant", "merchant_id"),
    ("Payments of a device", "device_id"),
    ("Payments of an IP address", "ip_id"),
)
#: what `counts_of` counts, as the page says it
_COUNTED = {"parties": "customers", "addresses": "IP addresses", "flows": "payments"}


def world_page(
    identity: WorldIdentity,
    scale: str,
    rows: Measured,
    measures: Sequence[Measure],
    counts: dict[str, int],
    figures: pl.DataFrame,
    distances: Sequence[Distance],
    missing: str,
) -> str:
    """The document. `counts`: what there is of everything → how many. `figures`: those of `campaign_figures`.

    distances: by template, or none; then `missing` says why.
    """
    return (
        _environment()
        .get_template("world_page.html.jinja")
        .render(
            style=_STYLE.read_text(encoding="utf-8"),
            identity=identity.tokens(),
            scale=scale,
            size=" · ".join(f"{count:,} {_COUNTED.get(name, name)}" for name, count in counts.items()),
            whole=rows.whole,
            rows=f"{len(rows.flows):,}",
            tiles=[(_TILES[m.name], _shown(m, m.value)) for m in measures if m.name in _TILES],
            groups=[(GROUPS[name], [_row(m) for m in measures if m.group == name]) for name in GROUPS],
            measured=len(measures),
            held=sum(one.holds for one in measures),
            hard=any(one.group == "difficulty" for one in measures),
            figures=list(figures.iter_rows(named=True)),
            distances={one.label: one for one in distances},
            missing=missing,
            names=FIGURES,
            **_pictures(rows),
        )
    )


def _row(measure: Measure) -> dict[str, Any]:
    shown = [_shown(measure, value) for value in (measure.value, measure.least, measure.most)]
    return {"text": words_of(measure).text, "shown": shown, "holds": measure.holds}


def _shown(measure: Measure, value: float) -> str:
    words = words_of(measure)
    return f"{_short(value * words.factor)}{words.unit}"


def _pictures(rows: Measured) -> dict[str, Any]:
    flows = rows.flows
    shown, span = pictures.amounts(flows)
    ranks = [(title, pictures.ranks(flows.group_by(name).len()["len"].to_numpy())) for title, name in _DEGREES]
    return {
        "week": pictures.week(flows),
        "days": pictures.days(flows),
        "amounts": shown,
        "amount_range": span,
        "ranks": [(title, "how many each has, the busiest first; both logarithmic", path) for title, path in ranks],
        "campaigns": pictures.campaigns(flows),
        "delays": pictures.delays(rows.openings),
    }


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FileSystemLoader(_HERE)
    )
    environment.filters["short"] = _short
    environment.filters["kind"] = kind
    return environment


def _short(value: Any) -> str:
    """Three significant digits at most, without an exponent."""
    number = float(value)
    return (
        f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}" if abs(number) >= 0.001 or number == 0 else f"{number:.6f}".rstrip("0")
    )
