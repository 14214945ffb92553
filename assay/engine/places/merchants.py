"""Merchants: who they are, and how many outlets they have in which countries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import polars as pl

from assay.engine.draws import Floats, Ints, identifiers, picks, quantiles_at, running, starts_of, uniforms
from assay.engine.guards import unique
from assay.engine.output import worded
from assay.engine.places.documents import CHANNELS, DEMAND_CLASSES, MCC_CLASSES, Countries, Outlets, Places
from assay.engine.places.geography import Geography, geography
from assay.engine.quantiles import lognormal, pareto
from assay.engine.scenario import Scale
from assay.engine.segment import Scene

Word = TypeVar("Word", bound=str)


def outlet_catalogue(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """1A: one row an outlet, ordered by merchant, country and number. Merchants are numbered in the order of their ids."""
    places, where = scene.parameters.of(Places), geography(scene.parameters.of(Countries))
    merchants = scene.parameters.of(Scale).merchants
    ids = np.sort(identifiers(scene.key("merchant_id"), merchants))
    unique("duplicate merchant id", pl.DataFrame({"merchant_id": ids}), ["merchant_id"], "outlet_catalogue")
    channel, mcc, demand = classes(places, *uniforms(scene.key("classes"), merchants))
    to_home = uniforms(scene.key("classes"), merchants, 1)[0]
    home = picks(to_home, where.home_ends())
    sizes = outlet_counts(places.outlets, *uniforms(scene.key("outlets"), merchants))
    owner = np.repeat(np.arange(merchants), sizes)
    country = outlet_countries(scene, where, places, home, sizes)
    outlets = pl.DataFrame(
        {
            "merchant_id": ids[owner],
            "mcc_class": worded(mcc[owner], MCC_CLASSES),
            "demand_class": worded(demand[owner], DEMAND_CLASSES),
            "channel": worded(channel[owner], CHANNELS),
            "home_country_iso": worded(home[owner], where.isos),
            "country_iso": worded(country, where.isos),
            "site_id": identifiers(scene.key("site_id"), len(owner)),
        }
    ).sort("merchant_id", "country_iso", maintain_order=True)
    order = pl.int_range(1, pl.len() + 1).over("merchant_id", "country_iso").alias("site_order")
    unique("duplicate site id", outlets, ["site_id"], "outlet_catalogue")
    return {"outlet_catalogue": outlets.with_columns(order)}


def classes(places: Places, to_place: Floats, to_class: Floats) -> tuple[Ints, Ints, Ints]:
    """Channel, merchant class and demand class of each merchant, as places among their words.

    Merchants stand in a random order, and each draws within its own share of the weights. So a channel has as many merchants as its
    weights say, or one more or less: without this, one small bank in some hundreds has no merchant for transfers.
    """
    mcc = _shares(places.mcc_classes, MCC_CLASSES)
    demand = np.array([_shares(places.demand_classes[name], DEMAND_CLASSES) for name in MCC_CLASSES])
    channel = np.array([_shares(places.channels[name], CHANNELS) for name in DEMAND_CLASSES])
    joint = channel.T[:, None, :] * demand * mcc[:, None]
    order = np.argsort(to_place, kind="stable")
    at = np.empty(len(order))
    at[order] = (np.arange(len(order)) + to_class[order]) / len(order)
    chosen = np.unravel_index(picks(at, running(joint.ravel())), joint.shape)
    return chosen[0], chosen[1], chosen[2]


def outlet_counts(law: Outlets, to_part: Floats, to_size: Floats) -> Ints:
    """Outlets of each merchant: of the tail for a share of them, of the body else."""
    body = quantiles_at(lognormal(law.mu, law.sigma, "0", law.most), to_size)
    tail = quantiles_at(pareto(law.tail_exponent, law.tail_from, law.most), to_size)
    return np.maximum(np.where(to_part < law.tail_share, tail, body).astype(np.int64), law.least)


def outlet_countries(scene: Scene, where: Geography, places: Places, home: Ints, sizes: Ints) -> Ints:
    """The country of each outlet. The first outlet of a merchant is at home; so are most others."""
    foreign, countries = places.foreign, len(where.isos)
    to_number, _ = uniforms(scene.key("foreign"), len(home))
    abroad = picks(to_number, running(foreign.countries))
    starts, merchant = starts_of(abroad), np.repeat(np.arange(len(home)), abroad)
    to_country, _ = uniforms(scene.key("foreign_country"), len(merchant))
    first = home[merchant] * countries
    candidates = picks(to_country, where.abroad_ends(foreign.region_affinity), first, first + countries) - first
    owner = np.repeat(np.arange(len(home)), sizes)
    to_abroad, to_candidate = uniforms(scene.key("outlet_country"), len(owner))
    stays = (to_abroad >= foreign.outlet_share) | (abroad[owner] == 0)
    stays[starts_of(sizes)] = True
    chosen = starts[owner] + np.minimum((to_candidate * abroad[owner]).astype(np.int64), np.maximum(abroad[owner] - 1, 0))
    return np.where(stays, home[owner], candidates[np.where(stays, 0, chosen)] if len(candidates) else home[owner])


def _shares(given: Mapping[Word, float], words: Sequence[Word]) -> Floats:
    """The weights of words as shares of their sum."""
    weights = np.array([given.get(word, 0.0) for word in words], np.float64)
    of_all: Floats = weights / running(weights)[-1]
    return of_all
