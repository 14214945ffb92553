"""A first policy for somebody's own entities: features and rules to begin with, as YAML with comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import yaml

from assay.app.policy.grain import DAY_US, HOUR_US
from assay.contracts.instants import duration_text


class Start(NamedTuple):
    """What a first policy is made for. The first entity is taken for the payer.

    `currencies` are those of the amounts, none if nobody has said. `label_delay_us`: after how many µs truth is known, None for never.
    `grain_us` is the step of times: nothing is counted in windows shorter than it.
    """

    name: str
    entities: Sequence[str]
    currencies: Sequence[str] = ()
    label_delay_us: int | None = None
    grain_us: int = 1

    @property
    def by_day(self) -> bool:
        """Whether times are days: several payments of a day have one time."""
        return self.grain_us >= DAY_US

    @property
    def by_hour(self) -> bool:
        """Whether times are hours."""
        return HOUR_US <= self.grain_us < DAY_US


_FEATURES = """\
# Features of the policy {name}: what is known of a payment when it is decided. A window is counted in buckets of `resolution`.
# The form is described in the page "Features". Change what you like, raise the revision, and run `assay policy check` on this folder.
feature_set: {q}
revision: "1"
entities: [{entities}]
"""
_ONE_CURRENCY = """\
# Nobody has said which currency the amounts are in. The first payment of a live run says it, and any other is refused. Better name yours.
# currencies: [EUR]
"""
_LISTED = "# Live payments in another currency are refused.\n"
_SEVERAL = "# Amounts of these currencies are added as they are: no rate is applied. Live payments in another currency are refused.\n"
_DAYS = """\
# Times of this mapping are days: payments of one day have one time. So nothing is counted within an hour, and the shortest window is a day.
"""
_HOURS = """\
# Times of this mapping are hours: payments of one hour have one time. So the shortest window is an hour.
"""
_IN_HOUR = """\
  - {{name: {e}_count_1h, entity: {q}, op: count, window: 1h, resolution: {short}, include_current: true}}
"""
_OF_ENTITY = """\
  - {{name: {e}_count_1d, entity: {q}, op: count, window: 1d, resolution: {step}, include_current: true}}
  - {{name: {e}_sum_1d, entity: {q}, op: sum, value: amount_minor, window: 1d, resolution: {step}, include_current: true}}
  - {{name: {e}_count_30d, entity: {q}, op: count, window: 30d, resolution: 1d, include_current: false}}
  - {{name: {e}_mean_30d, entity: {q}, op: mean, value: amount_minor, window: 30d, resolution: 1d, include_current: false}}
  - {{name: {e}_zscore_30d, entity: {q}, op: zscore, value: amount_minor, window: 30d, resolution: 1d, include_current: false}}
  - {{name: {e}_since_last_{unit}, entity: {q}, op: since_last, unit: {unit}}}
"""
_DISTINCT = """\
  - {{name: {e}_distinct_{other}_1d, entity: {q}, op: distinct, of: {q_other}, window: 1d, resolution: {step}, include_current: true}}
"""
_FRAUD = """\
  # share of the payments that turned out to be fraud, of those old enough for their truth to be known
  - {{name: {e}_fraud_rate_30d, entity: {q}, op: fraud_rate, window: 30d, resolution: 1d{delay}, include_current: false}}
"""
_RULES = """\
# Rules of the policy {name}. The score of a payment is the sum of the points of all rules that fire; thresholds turn it into an outcome.
# All numbers are a beginning: the report of a run shows how right each rule is. The form is described in the page "Rules".
policy_id: {q}
revision: "1"
rules:
"""
_RULE_BURST = """\
  # {e}: many payments within an hour
  - {{code: {E}_BURST, points: 35, when: [{{feature: {e}_count_1h, ge: 6}}]}}
"""
_RULES_OF_PAYER = """\
  # {e}: an amount far above what is usual; a day far above an average payment of the month
  - {{code: {E}_AMOUNT_UNUSUAL, points: 30, when: [{{feature: {e}_zscore_30d, ge: 4}}, {{feature: {e}_count_30d, ge: 5}}]}}
  - code: {E}_DAY_ABOVE_MONTH
    points: 20
    when: [{{feature: {e}_sum_1d, gt: {{times: 10, feature: {e}_mean_30d}}}}, {{feature: {e}_count_30d, ge: 5}}]
"""
_RULE_DISTINCT = "  - {{code: {E}_MANY_{OTHER}, points: 20, when: [{{feature: {e}_distinct_{other}_1d, ge: 5}}]}}\n"
_RULE_OF_OTHER = """\
  # {e}: an amount far above what is usual there
  - {{code: {E}_AMOUNT_UNUSUAL, points: 15, when: [{{feature: {e}_zscore_30d, ge: 4}}, {{feature: {e}_count_30d, ge: 50}}]}}
"""
_RULE_FRAUD = """\
  - {{code: {E}_FRAUD_SEEN, points: 60, when: [{{feature: {e}_fraud_rate_30d, ge: 0.2}}, {{feature: {e}_count_30d, ge: 3}}]}}
"""
_SPANS = {False: "in an hour and a day", True: "in a day"}
_THRESHOLDS = {"STEP_UP": 30, "QUEUE_REVIEW": 60, "DECLINE": 90}


def features_yaml(start: Start) -> str:
    """The features: counts, sums, means and z-scores per entity, distinct ids of the others, and fraud rates where truth is known."""
    names, truth = ", ".join(map(_scalar, start.entities)), start.label_delay_us is not None
    text = _FEATURES.format(name=start.name, q=_scalar(start.name), entities=names)
    text += f"label_entities: [{names}]\n" if truth else ""
    text += _SEVERAL if len(start.currencies) > 1 else _LISTED if start.currencies else ""
    text += f"currencies: [{', '.join(start.currencies)}]\n" if start.currencies else _ONE_CURRENCY
    text += _DAYS if start.by_day else _HOURS if start.by_hour else ""
    text += "features:\n"
    steps = {"short": "1h" if start.by_hour else "5min", "step": "1d" if start.by_day else "1h"}
    for entity in start.entities:
        given = {"e": entity, "q": _scalar(entity), "unit": "d" if start.by_day else "h" if start.by_hour else "s", **steps}
        text += f"  # {entity}: how often and how much {_SPANS[start.by_day]}; the month before is what is usual\n"
        text += "" if start.by_day else _IN_HOUR.format(**given)
        text += _OF_ENTITY.format(**given)
        others = [other for other in start.entities if other != entity]
        text += "".join(_DISTINCT.format(**given, other=other, q_other=_scalar(other)) for other in others)
        text += _FRAUD.format(**given, delay=_delay(start.label_delay_us)) if truth else ""
    return text


def rules_yaml(start: Start) -> str:
    """Rules about the payer, about amounts unusual for each other entity, and about frauds seen where truth is known."""
    text = _RULES.format(name=start.name, q=_scalar(start.name))
    for entity in start.entities:
        names = {"e": entity, "E": entity.upper()}
        if entity == start.entities[0]:
            text += "" if start.by_day else _RULE_BURST.format(**names)
            text += _RULES_OF_PAYER.format(**names)
            others = [{"other": other, "OTHER": other.upper()} for other in start.entities[1:]]
            text += "".join(_RULE_DISTINCT.format(**names, **other) for other in others)
        else:
            text += _RULE_OF_OTHER.format(**names)
        text += "" if start.label_delay_us is None else _RULE_FRAUD.format(**names)
    return text + _thresholds(sum(rule["points"] for rule in yaml.safe_load(text)["rules"]))


def _thresholds(points: int) -> str:
    """The thresholds that can be reached with so many points."""
    reached = ", ".join(f"{outcome}: {score}" for outcome, score in _THRESHOLDS.items() if score <= points)
    others = " and ".join(f"{outcome} from {score}" for outcome, score in _THRESHOLDS.items() if score > points)
    why = f"# {others} cannot be reached yet: all rules together give {points} points. Add rules first.\n" if others else ""
    return f"{why}thresholds: {{{reached}}}\n"


def _scalar(name: str) -> str:
    """A name as YAML reads it back: `on`, `no` and `null` are words of YAML."""
    return name if yaml.safe_load(name) == name else f'"{name}"'


def _delay(label_delay_us: int | None) -> str:
    """The delay of a window over labels, in whole days; none where each label has a time of its own."""
    return f", delay: {duration_text(-(-label_delay_us // DAY_US) * DAY_US)}" if label_delay_us else ""
