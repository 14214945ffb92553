"""Generates card transactions in the Handbook's shape: customers and terminals on a map, habits, and three kinds of fraud.

Amounts, the map and the frauds follow the public Fraud Detection Handbook's description (chapter 3, "Transaction data simulator"):
amounts scatter around each customer's mean, customers pay at terminals near them, and fraud is (1) any amount over 220, (2) a terminal
compromised for 28 days, (3) a customer compromised for 14 days with a third of the amounts multiplied by five.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.oracle.draws import F64, I64, Draws

#: nine weeks: a training week, a label delay and test weeks fit after a month of history
DAYS = 63
START_US = 1_522_540_800_000_000  # 2018-04-01T00:00:00Z, a Sunday
DAY_S = 86_400
#: payments per customer and day in the original
RATE = 1.92
#: share of a week's payments per weekday, Sunday first
WEEKDAYS = np.array([80, 95, 95, 98, 102, 125, 115], np.int64)
MAP_SIDE = 100.0
#: terminals within reach of a customer in the original: 10,000 on the map, radius 5
TERMINALS_NEAR = 78.5
TERMINALS_PER_CUSTOMER = 2
AMOUNT_FRAUD_CENTS = 22_000
TERMINAL_FRAUD_DAYS, CUSTOMER_FRAUD_DAYS = 28, 14
#: compromises per day and terminal, per day and customer, in the original
TERMINAL_FRAUD_RATE, CUSTOMER_FRAUD_RATE = 2 / 10_000, 3 / 5_000


class Payments(NamedTuple):
    """One row per payment, in no order."""

    second: I64
    customer: I64
    terminal: I64
    cents: I64


def handbook_frame(rows: int, seed: int) -> pl.DataFrame:
    """`rows` transactions over nine weeks, sorted by time, with the Handbook's seven columns."""
    draws = Draws(seed)
    customers = max(10, round(rows / DAYS / RATE))
    terminals = customers * TERMINALS_PER_CUSTOMER
    payments = _payments(draws, rows, customers, terminals)
    order = np.argsort(payments.second, kind="stable")
    payments = Payments(*(column[order] for column in payments))
    cents, scenario = _frauds(draws, payments, customers, terminals)
    return pl.DataFrame(
        {
            "TRANSACTION_ID": np.arange(rows, dtype=np.int64),
            "TX_DATETIME": pl.Series(START_US + payments.second * 1_000_000).cast(pl.Datetime("us")),
            "CUSTOMER_ID": payments.customer.astype(np.int32),
            "TERMINAL_ID": payments.terminal.astype(np.int32),
            "TX_AMOUNT": cents / 100.0,
            "TX_FRAUD": (scenario > 0).astype(np.int8),
            "TX_FRAUD_SCENARIO": scenario,
        }
    )


def _payments(draws: Draws, rows: int, customers: int, terminals: int) -> Payments:
    appetite = 1 + draws.below(1_000, customers)
    mean = draws.between(5.0, 100.0, customers)
    near = _terminals_near(draws, customers, terminals)
    customer = draws.weighted(appetite, rows)
    day = _days(draws, rows)
    time = np.rint(DAY_S / 2 + 20_000 * draws.bell(rows)).astype(np.int64)
    astray = (time < 0) | (time >= DAY_S)
    time[astray] = draws.below(DAY_S, int(astray.sum()))
    offsets, ids = near
    reach = np.diff(offsets)[customer]
    terminal = ids[offsets[customer] + draws.below(reach, rows)]
    amount = mean[customer] * (1.0 + 0.5 * draws.bell(rows))
    negative = amount < 0
    amount[negative] = 2 * mean[customer][negative] * draws.uniform(int(negative.sum()))
    return Payments(day * DAY_S + time, customer, terminal, np.maximum(np.rint(amount * 100).astype(np.int64), 1))


def _days(draws: Draws, rows: int) -> I64:
    return draws.weighted(np.tile(WEEKDAYS, DAYS // 7 + 1)[:DAYS], rows)


def _terminals_near(draws: Draws, customers: int, terminals: int) -> tuple[I64, I64]:
    """Terminals within reach of each customer, as offsets into one list; a customer far from all has the nearest."""
    cx, cy = draws.between(0.0, MAP_SIDE, customers), draws.between(0.0, MAP_SIDE, customers)
    tx, ty = draws.between(0.0, MAP_SIDE, terminals), draws.between(0.0, MAP_SIDE, terminals)
    reach_squared = MAP_SIDE * MAP_SIDE * min(1.0, TERMINALS_NEAR / terminals) / np.pi
    found = [_within(tx - x, ty - y, reach_squared) for x, y in zip(cx.tolist(), cy.tolist(), strict=True)]
    offsets = np.concatenate(([0], np.cumsum([len(ids) for ids in found]))).astype(np.int64)
    return offsets, np.concatenate(found)


def _within(dx: F64, dy: F64, reach_squared: float) -> I64:
    distance = dx * dx + dy * dy
    inside = np.flatnonzero(distance < reach_squared)
    return inside.astype(np.int64) if len(inside) else np.array([np.argmin(distance)], np.int64)


def _frauds(draws: Draws, payments: Payments, customers: int, terminals: int) -> tuple[I64, NDArray[np.int8]]:
    """Amounts after fraud, and the scenario of every payment (a later scenario overrides an earlier one)."""
    cents = payments.cents.copy()
    scenario = np.where(cents > AMOUNT_FRAUD_CENTS, 1, 0).astype(np.int8)
    day = payments.second // DAY_S
    at_terminal = _compromised(draws, payments.terminal, day, terminals, TERMINAL_FRAUD_RATE, TERMINAL_FRAUD_DAYS)
    scenario[at_terminal] = 2
    of_customer = _compromised(draws, payments.customer, day, customers, CUSTOMER_FRAUD_RATE, CUSTOMER_FRAUD_DAYS)
    hit = of_customer & (draws.uniform(len(day)) < 1 / 3)
    cents[hit] *= 5
    scenario[hit] = 3
    return cents, scenario


def _compromised(draws: Draws, ids: I64, day: I64, population: int, rate: float, days: int) -> NDArray[np.bool_]:
    """Which payments fall into a compromise of their id: `rate` new ones per day and id, each lasting `days`."""
    count = max(DAYS // 7, round(rate * population * DAYS))
    victims, starts = draws.below(population, count), draws.below(DAYS, count)
    first = np.full((population, DAYS), False)
    for victim, start in zip(victims.tolist(), starts.tolist(), strict=True):
        first[victim, start : start + days] = True
    compromised: NDArray[np.bool_] = first[ids, day]
    return compromised
