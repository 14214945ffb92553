"""Merchants of every bank have the channels that the weights say: chance leaves no bank without one."""

from __future__ import annotations

import numpy as np
import pytest

from assay.engine.draws import uniforms
from assay.engine.parameters import shipped
from assay.engine.philox import stream_key
from assay.engine.places.documents import CHANNELS, DEMAND_CLASSES, MCC_CLASSES, Places
from assay.engine.places.merchants import classes


@pytest.mark.parametrize("seed", range(40))
def test_every_bank_has_as_many_merchants_of_a_channel_as_the_weights_say(seed: int) -> None:
    """But for one, however few merchants it has: so each bank has merchants for transfers, and launderers their way."""
    places, merchants = shipped("tiny").of(Places), 160
    channel, mcc, demand = classes(places, *uniforms(stream_key(seed, "classes"), merchants))
    joint = dict.fromkeys(CHANNELS, 0.0)
    for kind, of_kind in places.mcc_classes.items():
        for hours, of_hours in places.demand_classes[kind].items():
            share = of_kind / sum(places.mcc_classes.values()) * of_hours / sum(places.demand_classes[kind].values())
            for name, weight in places.channels[hours].items():
                joint[name] += share * weight / sum(places.channels[hours].values())
    counts = np.bincount(channel, minlength=len(CHANNELS))
    assert [name for name, count in zip(CHANNELS, counts, strict=True) if abs(count - merchants * joint[name]) >= 2] == []
    possible = [
        (name in places.demand_classes[MCC_CLASSES[kind]]) for kind, name in zip(mcc, np.array(DEMAND_CLASSES)[demand], strict=True)
    ]
    assert all(possible), "a demand class is one of the merchant's class"
