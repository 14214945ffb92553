"""Kernels of S4, devices: counts first, then rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, kernel
from assay.engine.entities.households_kernel import household
from assay.engine.entities.vocabulary import OPERATOR, PRIMARY_OWNER, SHARED_USER
from assay.engine.philox import below, chosen, two


@kernel
def draw_devices(
    key: Any,
    first: Int,
    counts: Any,
    kinds: Any,
    type_ends: Any,
    types: Int,
    system_ends: Any,
    systems: Int,
    party: Any,
    device_type: Any,
    system: Any,
) -> None:
    """Owner (its place in the part), type and system of each device. `type_ends`: of the first and of a further device by party type."""
    made = 0
    for row in range(len(counts)):
        for turn in range(counts[row]):
            u_type, u_system = two(key, first + row, turn)
            choice = (2 * np.int64(kinds[row]) + (1 if turn > 0 else 0)) * types
            kind = chosen(u_type, type_ends, choice, choice + types) - choice
            family = kind * systems
            party[made] = row
            device_type[made] = kind
            system[made] = chosen(u_system, system_ends, family, family + systems) - family
            made += 1


@kernel
def draw_device_links(
    keys: Any,
    first: Int,
    first_device: Int,
    party: Any,
    device_type: Any,
    cells: Any,
    cell_ends: Any,
    sizes: Any,
    sharing: Any,
    operated: Any,
    shared_max: Int,
    devices: Any,
    users: Any,
    roles: Any,
) -> int:
    """Links of devices to their owner, and to those of the household who share them. Returns the rows filled.

    `keys`: of households and of sharing. `cells`: the cell of each party; `cell_ends`: parties up to the end of each. `sharing`: the chance
    by device type in a household of two or more.
    """
    made, owner, begin, end, shared = 0, -1, 0, 0, 0
    for device in range(len(party)):
        if party[device] != owner:
            owner, shared = party[device], 0
            cell = cells[owner]
            start = cell_ends[cell - 1] if cell > 0 else 0
            begin, end = household(keys[0], first + owner, start, cell_ends[cell], sizes)
        kind = device_type[device]
        devices[made], users[made] = first_device + device + 1, first + owner + 1
        roles[made] = OPERATOR if operated[kind] else PRIMARY_OWNER
        made += 1
        u_shared, u_users = two(keys[1], first_device + device, 0)
        others = end - begin - 1
        if others > 0 and shared < shared_max and u_shared < sharing[kind]:
            shared += 1
            for step in range(1, 2 + below(u_users, others)):
                other = begin + (first + owner - begin + step) % (end - begin)
                devices[made], users[made], roles[made] = first_device + device + 1, other + 1, SHARED_USER
                made += 1
    return made


@kernel
def draw_uses(
    key: Any,
    first: Int,
    devices: Any,
    users: Any,
    roles: Any,
    first_device: Int,
    device_type: Any,
    account_starts: Any,
    banking: Any,
    wallets: Any,
    token_owner: Any,
    token_id: Any,
    token_account: Any,
    accounts: Any,
    instruments: Any,
) -> None:
    """Account and instrument that owners use on their device, 0 for none.

    `account_starts`: accounts before each party of the part (and their end). Token n of an owner goes to the n-th device that can hold one,
    and its account with it.
    """
    token = 0
    for row in range(len(devices)):
        accounts[row] = instruments[row] = 0
        if roles[row] == SHARED_USER:
            continue
        owner, kind = users[row], device_type[devices[row] - first_device - 1]
        while token < len(token_owner) and token_owner[token] < owner:
            token += 1
        if wallets[kind] and token < len(token_owner) and token_owner[token] == owner:
            accounts[row], instruments[row] = token_account[token], token_id[token]
            token += 1
            continue
        u_banking, u_account = two(key, devices[row], 0)
        begin, end = account_starts[owner - first - 1], account_starts[owner - first]
        if end > begin and u_banking < banking[kind]:
            # the square prefers the first accounts: current ones
            accounts[row] = begin + below(u_account * u_account, end - begin) + 1
