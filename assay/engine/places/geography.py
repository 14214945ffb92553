"""Countries and cities as arrays. A number of a country or of a zone is its place in ASCII order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.codecs.kernel import frozen
from assay.engine.draws import Floats, Ints, running
from assay.engine.places.documents import Countries

DEGREE = 1_000_000


@dataclass(frozen=True)
class Geography:
    """`first[c]` … `first[c + 1]`: cities of country c. `lat`, `lon`: millionths of a degree. `zone`: number of the city's zone."""

    isos: tuple[str, ...]
    zones: tuple[str, ...]
    share: Floats
    region: Ints
    first: Ints
    lat: Ints
    lon: Ints
    weight_ends: Floats
    zone: Ints

    def home_ends(self) -> Floats:
        """Running sums of the weights of home countries."""
        return running(self.share)

    def abroad_ends(self, affinity: float) -> Floats:
        """Running sums over countries, a row a home country: its region counts `affinity` times, the home country itself not."""
        countries = len(self.isos)
        weights = self.share * np.where(self.region[:, None] == self.region[None, :], affinity, 1.0)
        weights[np.arange(countries), np.arange(countries)] = 0.0
        return running(weights.ravel(), np.arange(countries) * countries)

    def visitor_ends(self, affinity: float) -> Floats:
        """Running sums over countries, a row a home country, which counts `affinity` times."""
        countries = len(self.isos)
        weights = np.tile(self.share, (countries, 1))
        weights[np.arange(countries), np.arange(countries)] *= affinity
        return running(weights.ravel(), np.arange(countries) * countries)


def geography(document: Countries) -> Geography:
    """The arrays of a document."""
    isos = document.isos
    countries = [document.countries[iso] for iso in isos]
    regions = sorted({country.region for country in countries})
    cities = [city for country in countries for city in country.cities]
    zones = sorted({city.tzid for city in cities})
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(country.cities) for country in countries])])
    return Geography(
        tuple(isos),
        tuple(zones),
        frozen(np.array([country.share for country in countries]), np.float64),
        frozen(np.array([regions.index(country.region) for country in countries]), np.int64),
        frozen(first, np.int64),
        frozen(np.array([round(city.lat * DEGREE) for city in cities]), np.int64),
        frozen(np.array([round(city.lon * DEGREE) for city in cities]), np.int64),
        running([city.weight for city in cities], first[:-1]),
        frozen(np.array([zones.index(city.tzid) for city in cities]), np.int64),
    )
