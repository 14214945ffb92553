"""The parameter document of layer 2."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from assay.codecs.kernel import frozen
from assay.engine.draws import Floats
from assay.engine.laws import Block, DecimalText, Lognormal, Share, Weight
from assay.engine.parameters import Document
from assay.engine.places.documents import DEMAND_CLASSES, Demand

HOURS_OF_WEEK, SATURDAY = 168, 5
Day = Annotated[list[Weight], Field(min_length=24, max_length=24)]
Shape = Annotated[int, Field(ge=1, le=1000)]


class ClassShape(Block):
    """When a demand class pays: `share` of the arrivals of sites, weights of Monday to Sunday, weights of local hours."""

    share: Weight
    days: Annotated[list[Weight], Field(min_length=7, max_length=7)]
    weekday: Day
    weekend: Day

    def hours_of_week(self) -> list[float]:
        """Shares of the 168 local hours from Monday 00:00 on; they sum to 1."""
        week = [
            day_weight * hour / math.fsum(hours)
            for day, day_weight in enumerate(self.days)
            for hours in [self.weekend if day >= SATURDAY else self.weekday]
            for hour in hours
        ]
        total = math.fsum(week)
        return [weight / total for weight in week]


class Latent(Block):
    """The slow random factor: exp of an AR(1) of normal scores."""

    persistence: Share
    sigma: DecimalText
    low: DecimalText
    high: DecimalText


class Arrivals(Document):
    """Volumes and times of arrivals; the document says units and sources."""

    document = "arrivals"
    active_share: Share
    virtual_share: Share
    volume: Lognormal
    classes: dict[Demand, ClassShape]
    month_days: Annotated[list[Weight], Field(min_length=31, max_length=31)]
    latent: Latent
    burst_shape: Shape

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in DEMAND_CLASSES if name not in self.classes]
        if missing:
            raise ValueError(f"there is no class {missing[0]}")
        if any(not sum(shape.days) or not sum(shape.weekday) or not sum(shape.weekend) for shape in self.classes.values()):
            raise ValueError("a class has no hour with a weight above 0")
        return self

    def week_shares(self) -> Floats:
        """Shares of the hours of the week, a row a demand class."""
        return frozen(np.array([self.classes[name].hours_of_week() for name in DEMAND_CLASSES]), np.float64)
