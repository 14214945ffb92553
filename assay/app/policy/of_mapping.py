"""The policy that goes with a mapping when nobody names one: a shipped one of its name, a sample's own, or a first one that is made."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from assay.agents.rule_plan import compile_rules
from assay.app.oracle.mapping import Mapping
from assay.app.policy.documents import Policy
from assay.app.policy.grain import grain_us
from assay.app.policy.starter import Start, features_yaml, rules_yaml
from assay.app.stores.durable import make_directory, replace_file
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document
from assay.tables.feature_plan import compile_plan


class Documents(NamedTuple):
    """Both documents of a policy as text, and its name."""

    name: str
    features: str
    rules: str

    def policy(self) -> Policy:
        """Raises Stop(FEATURE_DOCUMENT_INVALID, RULES_DOCUMENT_INVALID)."""
        features = read_document(self.features, Reason.FEATURE_DOCUMENT_INVALID, f"features of policy {self.name}")
        rules = read_document(self.rules, Reason.RULES_DOCUMENT_INVALID, f"rules of policy {self.name}")
        plan = compile_plan(features)
        return Policy(self.name, features, rules, plan, compile_rules(rules, plan))

    def write(self, folder: Path) -> None:
        """Put both files into a folder, for people who want to change them."""
        make_directory(folder, folder)
        replace_file(folder / "features.yaml", self.features.encode())
        replace_file(folder / "rules.yaml", self.rules.encode())


def documents_for(mapping: Mapping) -> Documents:
    """A policy for the entities of a mapping: the sample's own where its entities are groups, else as `assay policy new` makes one."""
    own = resources.files("assay.app.policy") / "samples" / mapping.mapping
    if own.is_dir():
        return Documents(mapping.mapping, *((own / f"{part}.yaml").read_text("utf-8") for part in ("features", "rules")))
    start = start_of(mapping, mapping.mapping)
    return Documents(mapping.mapping, features_yaml(start), rules_yaml(start))


def start_of(mapping: Mapping, name: str, entities: Sequence[str] = ()) -> Start:
    """What a first policy is made for: entities (all of the mapping's if none are given), currencies, and what is known of times.

    Raises Stop(POLICY_ENTITY_ABSENT) for an entity that the mapping does not name, and for a mapping that names none.
    """
    absent = next((given for given in entities if given not in mapping.entities), None)
    if absent is not None or not mapping.entities:
        what = "the mapping names no entity" if absent is None else f"the mapping names no entity '{absent}'"
        remedy = "Features are kept per entity: name its column in the mapping, under `entities`."
        raise Stop(Reason.POLICY_ENTITY_ABSENT, what, where=f"entities: {', '.join(mapping.entities) or 'none'}", remedy=remedy)
    delay_us = None if mapping.truth is None else mapping.truth.delay_us or 0
    return Start(name, entities or list(mapping.entities), currencies_of(mapping), delay_us, grain_us(mapping.time))


def currencies_of(mapping: Mapping) -> list[str]:
    """The currencies that a mapping tells; none where only the file knows."""
    return [mapping.currency.constant] if mapping.currency.constant else list(mapping.exponents or ())
