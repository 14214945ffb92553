"""Online merchants and the edges through which their customers come (3B)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from assay.engine.draws import identifiers, picks, quantiles_at, shares, uniforms
from assay.engine.guards import unique
from assay.engine.output import numbered, worded
from assay.engine.places.documents import Countries, Places
from assay.engine.places.geography import Geography, geography
from assay.engine.segment import Scene


def virtual_merchants(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """3B: which merchants are online only, where they settle, and the edges of each with weights that sum to 1."""
    places, where = scene.parameters.of(Places), geography(scene.parameters.of(Countries))
    outlets = scene.table("outlet_catalogue", None, ["merchant_id", "demand_class", "channel", "home_country_iso"])
    merchants = outlets.unique("merchant_id", keep="first", maintain_order=True)
    to_rank, _unused = uniforms(scene.key("virtual"), len(merchants))
    may_be = (pl.col("channel") == "ECOM") & pl.col("demand_class").is_in(places.virtual.classes)
    ranked = merchants.with_columns(rank=pl.Series(to_rank), may_be=may_be).with_row_index("number")
    wanted = max(1, round(places.virtual.share * len(merchants)))
    chosen = ranked.filter("may_be").sort("rank", "number").head(wanted)["number"]
    home_zone = (
        scene.table("zone_alloc")
        .join(merchants.select("merchant_id", country_iso="home_country_iso"), on=["merchant_id", "country_iso"])
        .sort("merchant_id", "site_count", "tzid", descending=[False, True, False])
        .unique("merchant_id", keep="first", maintain_order=True)
        .select("merchant_id", settlement_tzid="tzid")
    )
    classified = (
        ranked.with_columns(is_virtual=pl.col("number").is_in(chosen.implode()))
        .join(home_zone, on="merchant_id", how="left", maintain_order="left")
        .select("merchant_id", "is_virtual", "settlement_tzid")
    )
    online = merchants.filter(classified["is_virtual"])
    return {"virtual_classification_3B": classified, "edge_catalogue_3B": edges(scene, where, places, online)}


def edges(scene: Scene, where: Geography, places: Places, online: pl.DataFrame) -> pl.DataFrame:
    """Edges of online merchants: a country by its weight, a zone by the weight of its cities. `online`: merchant_id, home_country_iso."""
    each, countries = places.virtual.edges, len(where.isos)
    home = np.repeat(numbered(online["home_country_iso"], where.isos), each)
    to_country, to_city = uniforms(scene.key("edge"), len(home))
    first = home * countries
    country = picks(to_country, where.visitor_ends(places.virtual.home_affinity), first, first + countries) - first
    city = picks(to_city, where.weight_ends, where.first[country], where.first[country + 1])
    to_weight, _unused = uniforms(scene.key("edge_weight"), len(home))
    weight = quantiles_at(places.edge_weight.table, to_weight)
    made = pl.DataFrame(
        {
            "merchant_id": np.repeat(online["merchant_id"].to_numpy(), each),
            "edge_id": identifiers(scene.key("edge_id"), len(home)),
            "country_iso": worded(country, where.isos),
            "tzid": worded(where.zone[city], where.zones),
            "weight": shares(weight, np.arange(len(online)) * each),
        }
    )
    unique("duplicate edge id", made, ["edge_id"], "edge_catalogue_3B")
    return made
