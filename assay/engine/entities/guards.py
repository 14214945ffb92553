"""Guards of segment 6A: rows that must not exist stop the state that would publish them. All are pure functions over frames."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.entities.documents import Accounts
from assay.engine.entities.frames import Ints
from assay.engine.guards import REMEDY, trip


def party_meta(parties: pl.DataFrame, first: int, last: int, output_id: str) -> None:
    """Every party from number first + 1 to last stands here once, in order, with type, segment, region and country."""
    wanted = np.arange(first + 1, last + 1)
    found = parties["party_id"].to_numpy()
    if len(found) != len(wanted) or not np.array_equal(found, wanted):
        wrong = pl.DataFrame({"party_id": np.setxor1d(found, wanted)[:3] if len(found) != len(wanted) else found[found != wanted][:3]})
        trip("missing party meta", wrong if len(wrong) else parties.head(1).select("party_id"), output_id)
    if any(parties[name].null_count() for name in parties.columns):
        trip("missing party meta", parties.filter(pl.any_horizontal(pl.all().is_null())), output_id)


def allocations(holdings: pl.DataFrame, output_id: str) -> None:
    """At most one allocation for each party and account type."""
    keys = numbered(holdings["owner_party_id"], holdings["account_type"])
    if not bool((np.diff(keys) > 0).all()):
        columns = ["owner_party_id", "account_type"]
        trip("duplicate party-account allocation", holdings.filter(pl.struct(columns).is_duplicated()).select(columns), output_id)


def account_caps(holdings: pl.DataFrame, document: Accounts, output_id: str) -> None:
    """No party has more accounts of a type than its law's cap, and every allocation has one."""
    caps = {name: law.cap for laws in document.laws.values() for name, law in laws.items()}
    cap = pl.col("account_type").cast(pl.String).replace_strict(caps, return_dtype=pl.Int64, default=0)
    most = holdings.group_by("account_type").agg(pl.col("account_count").max(), pl.col("account_count").min().alias("least"))
    if len(most.filter((pl.col("account_count") > cap) | (pl.col("least") < 1))):
        trip("account cap", holdings.filter((pl.col("account_count") > cap) | (pl.col("account_count") < 1)), output_id)


def owners(rows: pl.DataFrame, first: int, last: int, output_id: str) -> None:
    """Every `owner_party_id` is a party from number first + 1 to last."""
    inside = pl.col("owner_party_id").is_between(first + 1, last)
    trip("missing owner", rows.filter(~inside | pl.col("owner_party_id").is_null()).select("owner_party_id"), output_id)


def holdings_are_accounts(accounts: pl.DataFrame, holdings: pl.DataFrame, output_id: str) -> None:
    """Counted accounts are the holdings. Both are in the order of parties and types."""
    keys = numbered(accounts["owner_party_id"], accounts["account_type"])
    begins = np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), np.bool_), keys[1:] != keys[:-1]]))
    found = np.diff(np.append(begins, len(keys)))
    held, counts = numbered(holdings["owner_party_id"], holdings["account_type"]), holdings["account_count"].to_numpy()
    if not (np.array_equal(keys[begins], held) and np.array_equal(found, counts)):
        columns = ["owner_party_id", "account_type"]
        counted = accounts.group_by(columns, maintain_order=True).len("accounts")
        both = counted.join(holdings, on=columns, how="full", coalesce=True)
        trip("holdings differ from accounts", both.filter(pl.col("accounts").ne_missing(pl.col("account_count"))), output_id)


def numbered(owner: pl.Series, kind: pl.Series) -> Ints:
    """One number for owner and type."""
    return np.asarray(owner.to_numpy().astype(np.int64) * 256 + kind.to_physical().to_numpy())


def at_most(name: str, column: str, counts: Ints, most: int, first_id: int, output_id: str) -> None:
    """No count is above the cap. `counts`: of the entities from `first_id` on."""
    over = np.flatnonzero(counts > most)
    if len(over):
        trip(name, pl.DataFrame({column: over + first_id, "count": counts[over]}), output_id)


def each_has_one(name: str, column: str, counts: Ints, first_id: int, output_id: str) -> None:
    """Every count is at least 1."""
    without = np.flatnonzero(counts < 1)
    if len(without):
        trip(name, pl.DataFrame({column: without + first_id}), output_id)


def links_counted(taken: Ints, counted: Ints, output_id: str) -> None:
    """The links of a part are those that were counted when addresses were made. Both: running links by country and address type."""
    other = np.flatnonzero(taken != counted)
    if len(other):
        rows = {"group": other, "links": taken[other], "counted": counted[other]}
        trip("links that were not counted", pl.DataFrame(rows), output_id)


def taxonomy(words: Iterable[str], known: Iterable[str], output_id: str) -> None:
    """All words stand in the taxonomy."""
    unknown = sorted({*words} - {*known})
    if unknown:
        what = f"guard 'role vocabulary': {len(unknown)} words are outside of the taxonomy, first: {', '.join(unknown[:3])}"
        raise Stop(Reason.ENGINE_GUARD_TRIPPED, what, where=output_id, remedy=REMEDY)
