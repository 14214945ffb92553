"""Kernels of S5."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.philox import chosen, one, two
from assay.engine.quantiles import interpolated


@part
def tier_of(score: Any, tiers: Any) -> Any:
    """The first tier whose end is above the score; the last one has no end."""
    tier = 0
    while tier < len(tiers) and score >= tiers[tier]:
        tier += 1
    return tier


@kernel
def draw_party_roles(
    keys: Any,
    first: Int,
    kinds: Any,
    segments: Any,
    anonymous: Any,
    shared: Any,
    owned: Any,
    credit: Any,
    by_segment: Any,
    weights: Any,
    references: Any,
    spreads: Any,
    district_size: Int,
    normal: Any,
    tiers: Any,
    ends: Any,
    words: Int,
    found_roles: Any,
    found_tiers: Any,
) -> None:
    """Tier and role of each party. `keys`: of parties and of districts. `anonymous`, `shared`: of its `owned` devices.

    `by_segment`: the part of the score that a segment says. `weights`, `references`: of anonymous, shared, credit, devices (of 8).
    `spreads`: own, district. `ends`: choices by party type and tier.
    """
    for row in range(len(kinds)):
        count = max(owned[row], 1)
        score = by_segment[segments[row]]
        score += weights[0] * (anonymous[row] / count - references[0])
        score += weights[1] * (shared[row] / count - references[1])
        score += weights[2] * ((1.0 if credit[row] > 0 else 0.0) - references[2])
        score += weights[3] * (min(owned[row], 8) / 8.0 - references[3])
        u_score, u_role = two(keys[0], first + row, 0)
        score += spreads[0] * interpolated(normal, u_score)
        score += spreads[1] * interpolated(normal, one(keys[1], (first + row) // district_size, 0))
        tier = tier_of(score, tiers)
        choice = (np.int64(kinds[row]) * (len(tiers) + 1) + tier) * words
        found_tiers[row] = tier
        found_roles[row] = chosen(u_role, ends, choice, choice + words) - choice


@kernel
def draw_held_roles(
    key: Any,
    first: Int,
    owner: Any,
    variant: Any,
    roles: Any,
    tiers: Any,
    promotion: Any,
    promoted: Any,
    ends: Any,
    words: Int,
    found_roles: Any,
    found_tiers: Any,
) -> None:
    """Tier and role of what a party holds. `owner`: its place in `roles` and `tiers`, which are of parties.

    A risky owner promotes with the chance of its tier; `promoted`: choices by role without the first one. `ends`: choices of the others by
    variant and tier.
    """
    levels = len(promotion)
    for row in range(len(owner)):
        role, tier = np.int64(roles[owner[row]]), np.int64(tiers[owner[row]])
        u_promoted, u_role = two(key, first + row, 0)
        found_tiers[row] = tier
        if role > 0 and u_promoted < promotion[tier]:
            choice = (role - 1) * words
            found_roles[row] = chosen(u_role, promoted, choice, choice + words) - choice
        else:
            choice = (np.int64(variant[row]) * levels + tier) * words
            found_roles[row] = chosen(u_role, ends, choice, choice + words) - choice


@kernel
def draw_scored_roles(
    key: Any,
    scores: Any,
    spread: Any,
    normal: Any,
    tiers: Any,
    kind: Any,
    ends: Any,
    words: Int,
    found_scores: Any,
    found_roles: Any,
    found_tiers: Any,
) -> None:
    """Score, tier and role of entities that nobody owns. `kind`: the choices of each among `ends`; below 0 the tier is the kind."""
    for row in range(len(scores)):
        u_score, u_role = two(key, row, 0)
        score = scores[row] + spread * interpolated(normal, u_score)
        tier = tier_of(score, tiers)
        choice = (tier if kind[row] < 0 else kind[row]) * words
        found_scores[row], found_tiers[row] = score, tier
        found_roles[row] = chosen(u_role, ends, choice, choice + words) - choice
