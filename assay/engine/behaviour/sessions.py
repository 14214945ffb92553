"""Sessions of parties, and the entities that a party uses in one."""

from __future__ import annotations

from typing import Any

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.channels import arrival_row, mixed, resolved
from assay.engine.philox import below, one, two

_TRIES = 3


@kernel
def count_sessions(order: Any, party: Any, ts: Any, timeout: Int, session: Any) -> Int:
    """Number the sessions of a part. order: rows by (party, time). A session ends after a gap longer than `timeout` microseconds."""
    found = -1
    for i in range(len(order)):
        row = order[i]
        if i == 0 or party[row] != party[order[i - 1]] or ts[row] - ts[order[i - 1]] > timeout:
            found += 1
        session[row] = found
    return found + 1


@kernel
def attach(
    keys: Any,
    order: Any,
    session: Any,
    merchant: Any,
    seq: Any,
    channel: Any,
    virtual: Any,
    party: Any,
    instruments: Any,
    devices: Any,
    ips: Any,
    account_of: Any,
    shares: Any,
    out: Any,
    index: Any,
) -> None:
    """Fill entities and the session index; a session has one device and one address.

    keys: of arrivals, of habits, of channels, of session ids. instruments, devices, ips: (first, item, usual). shares: the preferred
    instrument, device, address, the web's share of HYBRID, and shares of strange devices and addresses. out: rows account, instrument,
    device, ip, session id. index: rows session id, arrivals, row of the first, row of the last.
    """
    device, ip, name = 0, 0, 0
    for i in range(len(order)):
        row = order[i]
        who, number = party[row], arrival_row(merchant[row], seq[row])
        bit = 1 << resolved(channel[row], virtual[row], shares[3], keys[2], number)
        u, v = two(keys[1], who, 0)
        if i == 0 or session[row] != session[order[i - 1]]:
            name = mixed(number, keys[3])
            device = devices[1][_usual(devices, who, v, shares[1], bit, keys[0], number, 0)]
            device = _strange(devices[1], device, shares[4], keys[0], number, 24)
            ip = ips[1][_usual(ips, device, one(keys[1], device, 1), shares[2], bit, keys[0], number, 8)]
            ip = _strange(ips[1], ip, shares[5], keys[0], number, 25)
            index[0][session[row]] = name
            index[1][session[row]] = 0
            index[2][session[row]] = row
        instrument = instruments[1][_usual(instruments, who, u, shares[0], bit, keys[0], number, 16)]
        out[0][row] = account_of[instrument]
        out[1][row] = instrument
        out[2][row] = device
        out[3][row] = ip
        out[4][row] = name
        index[1][session[row]] += 1
        index[3][session[row]] = row


@part
def _strange(item: Any, own: Int, share: Any, key: Any, number: Int, draw: Int) -> Int:
    """Another's item with a share: a borrowed or a new device, a network on the way."""
    u, v = two(key, number, draw)
    return item[below(v, len(item))] if u < share else own


@part
def _usual(items: Any, owner: Int, preference: Any, preferred: Any, bit: Int, key: Any, number: Int, draw: Int) -> Int:
    """The place of an item of an owner: the preferred one with its share, drawn again while it is not usual at the channel."""
    first, usual = items[0][owner], items[2]
    count = items[0][owner + 1] - first
    u, v = two(key, number, draw)
    place = first + (below(preference, count) if u < preferred else below(v, count))
    for again in range(_TRIES):
        if usual[place] & bit:
            break
        place = first + below(one(key, number, draw + 1 + again), count)
    return place
