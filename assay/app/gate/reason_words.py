"""Reasons of a run's decisions in words, by the rules that each decision was made by, and the rules that are in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from assay.app.gate.answer_record import Said, said_without
from assay.app.run.directory import Run
from assay.app.run.policy_revisions import kept, rules_of
from assay.codecs.single_object import unpack
from assay.contracts.currencies import amount_text
from assay.tables.feature_document import Feature, FeatureDocument, parse_document
from assay.tables.rule_words import AMOUNT, UNKNOWN_RULE, WORDS_OF_NO_RULE, rule_words


class _Rules(NamedTuple):
    """A rules document, and what each of its reason codes is told for."""

    document: Mapping[str, Any]
    when: Mapping[str, Any]


class ReasonWords:
    """Knows the rules documents of one run by their digest (hex). `in_force` is the newest that a decision was made by."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rules: dict[str, _Rules] = {}
        self.in_force: Mapping[str, Any] = run.config.policy
        self._without: tuple[Mapping[str, Any], Said] | None = None

    def begin(self) -> None:
        """Take the last revision of the policy that the run's store has. Raises Stop(RUN_RECORD_DAMAGED), and as the store does."""
        revisions = kept(self._run.store)
        if revisions:
            self.in_force = json.loads(revisions[-1].document)

    def without(self) -> Said:
        """What is said of a payment that is not decided in time. Many may be told so at once: it is made once for a rules document."""
        rules = self.in_force
        if self._without is None or self._without[0] is not rules:
            self._without = rules, said_without(rules)
        return self._without[1]

    def row_of(self, value: bytes) -> dict[str, Any]:
        """What is told of a decision, and what its words need, from its value on the bus: the same fields as of `decision_json`."""
        record = unpack(value)[1]
        values, policy = record["features"], record["policy"]
        features = zip(self._names, (*values["longs"], *values["doubles"]), strict=True)
        return {
            **{name: record[name] for name in ("outcome", "score", "reasons", "amount_minor", "currency")},
            "features": dict(features),
            "decision_id": record["decision_id"].hex(),
            "policy": {**policy, "content_digest": policy["content_digest"].hex()},
        }

    def knows(self, row: Mapping[str, Any]) -> bool:
        """Whether the rules of a decision are at hand: else `of` reads the run's store."""
        return row["policy"]["content_digest"] in self._rules

    def of(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Reason code → words, of one decision."""
        digest = row["policy"]["content_digest"]
        if digest not in self._rules:
            document = rules_of(self._run.store, self._run.config, bytes.fromhex(digest))
            self._rules[digest] = _Rules(document, {rule["code"]: rule["when"] for rule in document["rules"]})
        self.in_force, when = self._rules[digest]
        return {code: self._words(when[code], row) if code in when else WORDS_OF_NO_RULE.get(code, UNKNOWN_RULE) for code in row["reasons"]}

    def _words(self, when: Any, row: Mapping[str, Any]) -> str:
        values = {**row["features"], AMOUNT: row["amount_minor"]}

        def money(minor: float) -> str:
            return amount_text(minor, row["currency"])

        return "; ".join(rule_words(when, self._features, values, money, mixed=self._document.mixes_currencies))

    @cached_property
    def _document(self) -> FeatureDocument:
        return parse_document(self._run.config.features)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Names of the features in the order of a decision's values."""
        return (*self._document.long_names, *self._document.double_names)

    @cached_property
    def _features(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self._document.features}
