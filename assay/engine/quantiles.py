"""Tables of distributions, made in decimal arithmetic, whose exp, ln and sqrt are correctly rounded: equal bits on every platform.

A kernel draws by interpolating a table at a uniform number: index, one multiplication, one addition.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, part

#: cells of a table; the two outermost quantiles of an unbounded distribution are those of a quarter of a cell
CELLS = 4096
_PRECISE = Context(prec=30, rounding=ROUND_HALF_EVEN)
#: Newton's method doubles the right digits: after a step as small as this (relative) the rest is far below the last bit of a float64
_CLOSE = Decimal("1e-10")
#: tables over normal scores end here, in standard deviations
SCORE_MAX = 6
#: Acklam's rational approximation of the normal quantile, relative error below 1.15e-9
_A = ("-39.69683028665376", "220.9460984245205", "-275.9285104469687", "138.3577518672690", "-30.66479806614716", "2.506628277459239")
_B = ("-54.47609879822406", "161.5858368580409", "-155.6989798598866", "66.80131188771972", "-13.28068155288572", "1")
_C = ("-0.007784894002430293", "-0.3223964580411365", "-2.400758277161838", "-2.549732539343734", "4.374664141464968", "2.938163982698783")
_D = ("0.007784695709041462", "0.3224671290700398", "2.445134137142996", "3.754408661907416", "1")
_TAIL = Decimal("0.02425")
_ROOT_OF_TWO_PI = Decimal("2.50662827463100050241576528481")

Table = NDArray[np.float64]


@part
def interpolated(table: Any, u: Any) -> Any:
    """The quantile of u in [0, 1) of a table of `CELLS` + 1 quantiles."""
    place = u * CELLS
    cell = np.int64(place)
    return table[cell] + (table[cell + 1] - table[cell]) * (place - np.float64(cell))


@cache
def normal() -> Table:
    """Quantiles of the standard normal distribution."""
    return _table(_normal_quantile)


@cache
def exponential() -> Table:
    """Quantiles of the exponential distribution of mean 1."""
    return _table(lambda p: -_logarithm(1 - p))


@cache
def lognormal(mu: str, sigma: str, low: str, high: str) -> Table:
    """Quantiles of exp(mu + sigma · z), clipped to [low, high]. Parameters are decimal texts."""
    least, most = Decimal(low), Decimal(high)
    return _table(lambda p: min(max((Decimal(mu) + Decimal(sigma) * _normal_quantile(p)).exp(), least), most))


@cache
def power(exponent: str, low: str, high: str) -> Table:
    """Quantiles low + (high - low) · p^exponent: the delays of the reference."""
    span = Decimal(high) - Decimal(low)
    return _table(lambda p: Decimal(low) + span * (_logarithm(p) * Decimal(exponent)).exp() if p else Decimal(low), bounded=True)


@cache
def pareto(exponent: str, low: str, high: str) -> Table:
    """Quantiles of the Pareto distribution of this exponent between low and high (Wikipedia, "Pareto distribution", bounded)."""
    power_of = -Decimal(exponent)
    with localcontext(_PRECISE):
        top, bottom = ((Decimal(bound).ln() * power_of).exp() for bound in (low, high))
    return _table(lambda p: ((top - p * (top - bottom)).ln() / power_of).exp(), bounded=True)


@cache
def gamma(shape: int) -> Table:
    """Quantiles of the gamma distribution of mean 1 with an integer shape (an Erlang distribution): variance 1 / shape."""
    roots = [Decimal(shape)] * 5

    def quantile(p: Decimal) -> Decimal:
        # the root that a polynomial through the five before it promises is right to about ten digits
        guess = 5 * (roots[-1] - roots[-4]) - 10 * (roots[-2] - roots[-3]) + roots[-5]
        roots.append(_erlang_root(shape, p, guess))
        return roots[-1] / shape

    return _table(quantile)


@cache
def lognormal_of_score(sigma: str, low: str, high: str) -> Table:
    """exp(sigma · z - sigma² / 2), mean 1, clipped to [low, high], at the scores z from -SCORE_MAX to SCORE_MAX; read it by `at_score`."""
    least, most, deviation = Decimal(low), Decimal(high), Decimal(sigma)
    with localcontext(_PRECISE):
        scores = [SCORE_MAX * (Decimal(2 * cell) / CELLS - 1) for cell in range(CELLS + 1)]
        values = [min(max((deviation * z - deviation * deviation / 2).exp(), least), most) for z in scores]
    return frozen(np.array([float(value) for value in values], np.float64), np.float64)


@part
def at_score(table: Any, score: Any) -> Any:
    """The value of a table over normal scores; scores beyond ±SCORE_MAX count as these."""
    return interpolated(table, min(max((score + SCORE_MAX) / (2.0 * SCORE_MAX), 0.0), 1.0 - 2.0**-53))


def _erlang_root(shape: int, p: Decimal, start: Decimal) -> Decimal:
    """The x with P(X ≤ x) = p for a sum of `shape` exponentials: 1 - p = e^-x · Σ x^i / i! by Newton's method, bisected where it leaves."""
    low, high = Decimal(0), Decimal(20 * shape + 40)
    x = start if low < start < high else Decimal(shape)
    for _ in range(200):
        term = total = Decimal(1)
        for i in range(1, shape):
            term = term * x / i
            total += term
        decay = (-x).exp()
        excess = 1 - decay * total - p
        low, high = (x, high) if excess < 0 else (low, x)
        step = excess / (decay * term)
        following = x - step if low < x - step < high else (low + high) / 2
        if abs(following - x) < _CLOSE * following:
            return following
        x = following
    raise AssertionError("Newton's method has bounds; it ends")


@cache
def tilted(sigma: str) -> Table:
    """Places in [0, 1] of items that are drawn in proportion to lognormal weights, where items lie in order of their weights.

    An item at place q has weight exp(sigma · z(q)); drawn items lie at Φ(z(u) + sigma), Φ the normal distribution and z its quantile.
    """
    shift = Decimal(sigma)
    return _table(lambda p: _normal_share(_normal_quantile(p) + shift) if 0 < p < 1 else p, bounded=True)


def _table(quantile: Callable[[Decimal], Decimal], *, bounded: bool = False) -> Table:
    edge = Decimal(0) if bounded else Decimal(1) / (4 * CELLS)
    with localcontext(_PRECISE):
        places = [min(max(Decimal(cell) / CELLS, edge), 1 - edge) for cell in range(CELLS + 1)]
        return frozen(np.array([float(quantile(p)) for p in places], np.float64), np.float64)


@cache
def _logarithm(p: Decimal) -> Decimal:
    """ln p. Tables have their places in common, and a logarithm takes most of the time of a quantile."""
    return p.ln()


@cache
def _normal_quantile(p: Decimal) -> Decimal:
    if p > Decimal("0.5"):
        return -_normal_quantile(1 - p)
    if p < _TAIL:
        q = (-2 * p.ln()).sqrt()
        return _polynomial(_C, q) / _polynomial(_D, q)
    q = p - Decimal("0.5")
    r = q * q
    return _polynomial(_A, r) * q / _polynomial(_B, r)


def _normal_share(x: Decimal) -> Decimal:
    """Φ(x) = 1/2 + φ(x) · (x + x³/3 + x⁵/(3·5) + …)."""
    term = total = x
    odd = 1
    while abs(term) > Decimal("1e-25"):
        odd += 2
        term *= x * x / odd
        total += term
    density = (-x * x / 2).exp() / _ROOT_OF_TWO_PI
    return min(max(Decimal("0.5") + density * total, Decimal(0)), Decimal(1))


def _polynomial(coefficients: tuple[str, ...], x: Decimal) -> Decimal:
    total = Decimal(0)
    for coefficient in coefficients:
        total = total * x + Decimal(coefficient)
    return total
