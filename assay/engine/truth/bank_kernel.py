"""Truth of each flow and the bank's view of it. A flow's draws are those of its flow id, so its row does not depend on others."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import inlined, kernel, part
from assay.engine.philox import one, two
from assay.engine.quantiles import interpolated
from assay.engine.truth.document import (
    AUTHORISATION_US,
    CAP,
    DECISION_MIN_US,
    DECISION_SECOND,
    DECISION_US,
    ERLANG,
    ERLANG_SECOND,
    ERLANG_US,
    FP_MAX,
    FP_MIN,
    FP_RATE,
    FP_REFERENCE,
    PRONE,
    PRONE_ABOVE,
    PRONE_RATE,
    QUICK,
    QUICK_US,
    US,
)
from assay.engine.truth.words import (
    APPROVE,
    CHALLENGE,
    CONFIRMED_FRAUD,
    CONFIRMED_LEGIT,
    DECLINE,
    DISPUTE_REJECTED,
    FRIENDLY_FRAUD,
    LEGIT,
    NO_CASE,
    NONE,
    REVIEW,
    WRITTEN_OFF,
)

#: a time that does not come
NEVER = -1
_CARD_TESTING = 1
_LOSS = 0


@kernel
def true_subtypes(keys: Any, flow_ids: Any, parties: Any, amounts: Any, campaigns: Any, singles: Any, subtypes: Any) -> None:
    """Write the subtype of each flow: that of its campaign, else friendly fraud of a prone party's payment above an amount, else NONE.

    `keys`: streams of parties and of flows. `campaigns`: code of the campaign's subtype, 0 without one. `amounts`: minor units.
    """
    for i in range(len(flow_ids)):
        subtype = np.int64(campaigns[i])
        tempted = subtype == NONE and amounts[i] > singles[PRONE_ABOVE]
        if tempted and one(keys[0], parties[i], 0) < singles[PRONE] and one(keys[1], flow_ids[i], 0) < singles[PRONE_RATE]:
            subtype = np.int64(FRIENDLY_FRAUD)
        subtypes[i] = subtype


@kernel
def bank_views(
    key: Any, flow_ids: Any, times: Any, amounts: Any, classes: Any, subtypes: Any, labels: Any, bank: Any, codes: Any, at: Any
) -> None:
    """Write for each flow its authorisation and bank label (`codes`), and when it was seen (`at`, µs since 1970).

    `labels`: truth by subtype. `at`: opened, detected, disputed, charged back, decided, known; -1 for what does not come. A case opens with
    the first of detection, dispute and authorisation's doubt. Known is the instant from which the bank's label holds.
    """
    rates, by_class, shares, outcomes, singles, detection, dispute, chargeback, terms = bank
    for i in range(len(flow_ids)):
        flow, ts, subtype, kind = flow_ids[i], times[i], np.int64(subtypes[i]), np.int64(classes[i])
        truth = np.int64(labels[subtype])
        u_detect, u_auth = two(key, flow, 0)
        u_dispute, u_back = two(key, flow, 1)
        u_delay, u_second = two(key, flow, 2)
        found = np.int64(NEVER)
        authorised = np.int64(APPROVE)
        at_auth = False
        if truth == LEGIT:
            rate = _false_positive_rate(amounts[i], by_class[kind, 1], singles)
        else:
            rate = _capped(rates[subtype, 0] * by_class[kind, 0], singles)
        if u_detect < rate:
            at_auth = truth != LEGIT and u_auth < rates[subtype, 1]
            found = ts + np.int64(singles[AUTHORISATION_US]) if at_auth else ts + _detection_us(u_delay, singles, detection)
        if at_auth and subtype == _CARD_TESTING:
            authorised = np.int64(DECLINE)
        else:
            u_word = one(key, flow, 3)
            while authorised < DECLINE and u_word >= shares[authorised]:
                authorised += 1
            if at_auth and authorised == APPROVE:
                authorised = np.int64(REVIEW)
        disputed = backed = decided = np.int64(NEVER)
        lost = False
        if u_dispute < _capped(rates[subtype, 2] * by_class[kind, 2], singles):
            disputed = ts + np.int64(interpolated(dispute, u_second) * US)
            if u_back < _capped(rates[subtype, 3] * by_class[kind, 3], singles):
                backed = disputed + _chargeback_us(key, flow, singles, chargeback, terms)
                decided = backed + _erlang_us(key, flow, 6, singles[DECISION_US], singles[DECISION_SECOND], singles[DECISION_MIN_US], terms)
                lost = one(key, flow, 8) < outcomes[truth, _LOSS]
        opened = _first(found, disputed)
        if authorised in (REVIEW, CHALLENGE):
            opened = ts
        label, known = _label(truth, opened, found, disputed, decided, lost)
        codes[i, 0], codes[i, 1] = authorised, label
        at[i, 0], at[i, 1], at[i, 2], at[i, 3], at[i, 4], at[i, 5] = opened, found, disputed, backed, decided, known


@part
def _label(truth: Any, opened: Any, found: Any, disputed: Any, decided: Any, lost: Any) -> Any:
    """The bank's label of a flow, and since when it holds."""
    if lost:
        return np.int64(WRITTEN_OFF), decided
    if disputed >= 0 and decided >= 0:
        return np.int64(DISPUTE_REJECTED), decided
    if found >= 0:
        return np.int64(CONFIRMED_FRAUD), found
    if truth == LEGIT:
        return np.int64(CONFIRMED_LEGIT), np.int64(NEVER)
    if disputed >= 0:
        return np.int64(DISPUTE_REJECTED), disputed
    return np.int64(NO_CASE) if opened < 0 else np.int64(CONFIRMED_LEGIT), np.int64(NEVER)


@inlined
def _first(a: Any, b: Any) -> Any:
    """The earlier of two times that may never come."""
    return b if a < 0 or (0 <= b < a) else a


@inlined
def _capped(rate: Any, singles: Any) -> Any:
    return min(rate, singles[CAP])


@part
def _false_positive_rate(amount: Any, factor: Any, singles: Any) -> Any:
    """rate · class · sqrt(amount / reference), the root within its bounds."""
    root = np.sqrt(np.float64(amount) / singles[FP_REFERENCE])
    return singles[FP_RATE] * factor * min(max(root, singles[FP_MIN]), singles[FP_MAX])


@part
def _detection_us(u: Any, singles: Any, table: Any) -> Any:
    """A fixed short delay so often, else a lognormal one: the rest of the uniform number draws it."""
    if u < singles[QUICK]:
        return np.int64(singles[QUICK_US])
    return np.int64(interpolated(table, (u - singles[QUICK]) / (1.0 - singles[QUICK])) * US)


@part
def _chargeback_us(key: Any, flow: Any, singles: Any, table: Any, terms: Any) -> Any:
    which, u = two(key, flow, 4)
    if which < singles[ERLANG]:
        return _erlang_us(key, flow, 5, singles[ERLANG_US], singles[ERLANG_SECOND], 0.0, terms)
    return np.int64(interpolated(table, u) * US)


@part
def _erlang_us(key: Any, flow: Any, draw: Any, term_us: Any, second: Any, min_us: Any, terms: Any) -> Any:
    """`min_us`, an exponential term of mean `term_us`, and a second one with probability `second`."""
    u, other = two(key, flow, draw)
    total = min_us + term_us * interpolated(terms, u)
    if other < second:
        total += term_us * interpolated(terms, other / second)
    return np.int64(total)
