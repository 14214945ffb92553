"""Through which devices and addresses campaign flows come, and how much is asked. Kernels over the flows of one campaign."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.crews import CREW, DEVICE, IP, MINOR, PARTY, PLACES, ranged
from assay.engine.philox import below, chosen, one, two
from assay.engine.quantiles import interpolated


class Means(NamedTuple):
    """A crew's own infrastructure: how much of it, its shares of risky devices and anonymous addresses, and shares of flows through it."""

    devices_low: int
    devices_high: int
    ips_low: int
    ips_high: int
    risky: float
    anonymous: float
    device_use: float
    ip_use: float


class Asking(NamedTuple):
    """Amounts in minor units, and shares."""

    median: float
    point_share: float
    repeated: float
    values: int
    round_share: float
    round_step: int


@kernel
def connect(
    crew_key: Any,
    flow_key: Any,
    means: Any,
    device_first: Any,
    device: Any,
    ip_first: Any,
    ip: Any,
    risky: Any,
    anonymous: Any,
    out: Any,
) -> None:
    """Fill device and address: the crew's, or the party's own. device: by party, ip: by device. risky, anonymous: perhaps empty."""
    for i in range(out.shape[1]):
        crew, party = out[CREW, i], out[PARTY, i]
        u, v = two(flow_key, i, 6)
        w, x = two(flow_key, i, 7)
        y, z = two(crew_key, crew * PLACES, 12)
        which = below(v, ranged(y, means.devices_low, means.devices_high))
        own = device_first[party]
        used = np.int64(device[own + below(v, device_first[party + 1] - own)])
        if u < means.device_use:
            used = crew_device(crew_key, crew * PLACES + which, means.risky, device, risky)
        out[DEVICE, i] = used
        if w < means.ip_use:
            at = below(x, ranged(z, means.ips_low, means.ips_high))
            a, x = two(crew_key, crew * PLACES + at, 14)
            if a < means.anonymous and len(anonymous):
                out[IP, i] = anonymous[below(x, len(anonymous))]
                continue
            used = crew_device(crew_key, crew * PLACES + at % means.devices_low, means.risky, device, risky)
        out[IP, i] = ip[ip_first[used] + below(x, ip_first[used + 1] - ip_first[used])]


@part
def crew_device(key: Any, row: Int, share: Any, device: Any, risky: Any) -> Any:
    """A device of a crew: a risky one, or any that parties use."""
    u, v = two(key, row, 13)
    if u < share and len(risky):
        return np.int64(risky[below(v, len(risky))])
    return np.int64(device[below(v, len(device))])


@kernel
def ask(crew_key: Any, flow_key: Any, asking: Any, table: Any, points: Any, point_ends: Any, out: Any) -> None:
    """Fill amounts: an amount of the crew again, or another one; a price point or a lognormal amount, perhaps rounded."""
    for i in range(out.shape[1]):
        u, v = two(flow_key, i, 8)
        key, row, draw = flow_key, i, 10
        if u < asking.repeated:
            key, row, draw = crew_key, out[CREW, i] * PLACES + below(v, asking.values), 16
        u, v = two(key, row, draw)
        if u < asking.point_share and len(points):
            out[MINOR, i] = points[chosen(v, point_ends, 0, len(points))]
            continue
        minor = np.int64(asking.median * interpolated(table, v))
        if one(key, row, draw + 1) < asking.round_share:
            minor = minor // asking.round_step * asking.round_step
        out[MINOR, i] = max(minor, 1)
