"""Laws of counts: their tables have the means and shapes of the laws, and what cannot be drawn is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.entities.counts import CAP_MAX, CountLaw, drawn_count, mean_of, table_of
from assay.engine.entities.documents import Instruments
from assay.engine.parameters import read_shipped, shipped


def law(name: str, mean: str, **fields: Any) -> CountLaw:
    """A law of the largest cap that it may have."""
    return CountLaw.model_validate({"law": name, "mean": mean, "cap": 1 if name == "bernoulli" else CAP_MAX, **fields})


@pytest.mark.parametrize(
    ("drawn", "chances"),
    [
        (law("bernoulli", "0.3"), [0.7, 0.3]),
        (law("poisson", "0.8"), [math.exp(-0.8) * 0.8**n / math.factorial(n) for n in range(6)]),
        (law("poisson", "1.8", least=1), [0.0, *(math.exp(-0.8) * 0.8**n / math.factorial(n) for n in range(5))]),
        (
            law("poisson", "0.2", zero_inflation="0.5"),
            [0.5 + 0.5 * math.exp(-0.4), *(0.5 * math.exp(-0.4) * 0.4**n / math.factorial(n) for n in range(1, 5))],
        ),
        (
            law("nb2", "0.5", dispersion="2"),
            [math.comb(n + 1, n) * (2 / 2.5) ** 2 * (0.5 / 2.5) ** n for n in range(6)],
        ),
    ],
)
def test_a_table_has_the_probabilities_of_its_law(drawn: CountLaw, chances: list[float]) -> None:
    running = drawn.running()
    found = [running[0], *(after - before for before, after in zip(running, running[1:], strict=False))]
    assert found[: len(chances)] == pytest.approx(chances, abs=1e-14)
    assert mean_of(running) == pytest.approx(float(drawn.mean), abs=1e-6)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, CAP_MAX), st.sampled_from(["0.1", "0.9", "3.5"]))
def test_a_count_is_the_first_whose_running_probability_is_above_u_and_holds_its_cap(u: float, cap: int, mean: str) -> None:
    running = law("poisson", mean, cap=cap).running()
    count = int(drawn_count(u, table_of([running]), 0))
    assert count == next(n for n, chance in enumerate(running) if u < chance)
    assert count <= cap


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"law": "poisson", "mean": "0.5", "cap": 3, "least": 1}, "at least `least`"),
    ({"law": "poisson", "mean": "0.5", "cap": 3, "zero_inflation": "1"}, "below 1"),
    ({"law": "poisson", "mean": "0.5", "cap": 3, "dispersion": "1"}, "nb2 has a dispersion"),
    ({"law": "nb2", "mean": "0.5", "cap": 3}, "nb2 has a dispersion"),
    ({"law": "bernoulli", "mean": "1.2", "cap": 1}, "bernoulli"),
    ({"law": "poisson", "mean": "0.5", "cap": 17}, "less than or equal to 16"),
]


@pytest.mark.parametrize(("fields", "said"), REFUSED)
def test_a_law_that_contradicts_itself_is_refused(fields: dict[str, Any], said: str) -> None:
    laws = {**read_shipped("instruments.yaml")["laws"], "OTHER_SAVINGS": fields}
    with pytest.raises(Stop) as refused:
        shipped("tiny", {"instruments": {"laws": laws}}).of(Instruments)
    assert refused.value.reason is Reason.ENGINE_PARAMETERS_INVALID
    assert refused.value.where.startswith("instruments.laws.OTHER_SAVINGS")
    assert said in str(refused.value)
