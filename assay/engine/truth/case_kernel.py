"""Flows that open a case become cases: one walk over the openings of each key in time order."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import inlined, kernel
from assay.engine.philox import bits, two
from assay.engine.quantiles import interpolated
from assay.engine.truth.words import ATTACHED, CHARGED_BACK, CLOSED, DECIDED, DISPUTED, OPENED, REOPENED

#: events of a flow at most: opened or (closed and reopened), detected, disputed, charged back, decided; and the end of the last case
EVENTS_PER_FLOW = 7
_POSITIVE = np.uint64(1)


@kernel
def walk_cases(
    key: Any, owners: Any, flows: Any, at: Any, rules: Any, terms: Any, case_ids: Any, event_flows: Any, kinds: Any, times: Any
) -> Any:
    """Write the events of all cases, in no order within a case; gives how many.

    Rows are sorted by (owner, opened, flow). `at`: opened, detected, disputed, charged back, decided, in µs or -1. `rules`: µs in which
    flows join a case, µs in which a case is opened again, and mean µs of the exponential terms, probability of a second term and least
    µs until a case ends.
    """
    count = np.int64(0)
    case = last = opened = closes = np.int64(-1)
    for i in range(len(flows)):
        now = at[i, 0]
        same = i > 0 and owners[i] == owners[i - 1]
        if not (same and (now < closes or now <= opened + np.int64(rules[0]))):
            again = same and now <= closes + np.int64(rules[1])
            if i > 0:
                count = _event(case, flows[i - 1], CLOSED, closes, case_ids, event_flows, kinds, times, count)
            if not again:
                case = np.int64(bits(key, flows[i], 0)[0] >> _POSITIVE)
            count = _event(case, flows[i], REOPENED if again else OPENED, now, case_ids, event_flows, kinds, times, count)
            opened, last = now, now
        for step in range(1, 5):
            if at[i, step] >= 0:
                count = _event(case, flows[i], ATTACHED + step - 1, at[i, step], case_ids, event_flows, kinds, times, count)
                last = max(last, at[i, step])
        last = max(last, now)
        closes = last + _until_end(key, case, opened, rules, terms)
    if len(flows) > 0:
        count = _event(case, flows[len(flows) - 1], CLOSED, closes, case_ids, event_flows, kinds, times, count)
    return count


@inlined
def _event(case: Any, flow: Any, kind: Any, ts: Any, case_ids: Any, event_flows: Any, kinds: Any, times: Any, count: Any) -> Any:
    case_ids[count], event_flows[count], kinds[count], times[count] = case, flow, kind, ts
    return count + 1


@inlined
def _until_end(key: Any, case: Any, opened: Any, rules: Any, terms: Any) -> Any:
    """µs from the last event of a case to its end: one draw for each time that it was opened."""
    u, other = two(key, case, opened)
    total = rules[4] + rules[2] * interpolated(terms, u)
    if other < rules[3]:
        total += rules[2] * interpolated(terms, other / rules[3])
    return np.int64(total)


assert (ATTACHED, DISPUTED, CHARGED_BACK, DECIDED) == (1, 2, 3, 4), "the steps of a flow are the columns of its times"
