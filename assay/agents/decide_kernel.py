"""Kernels of the decision fabric: which rows are decided, and everything in a decision that is computed from its row, in one pass.

The order in which outcomes and reasons follow from a score: a policy states the lowest score of each outcome; the posture in force may turn
ALLOW into STEP_UP; the reasons of the posture follow those of the scorer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.avro_encode_kernel import write_varint
from assay.codecs.intrinsics import copy, store64
from assay.codecs.kernel import kernel, part
from assay.codecs.sha256_kernel import hash_rows
from assay.tables.row_kinds import PAYMENT

#: positions in OUTCOMES
ALLOW, STEP_UP = 0, 1
ID_BYTES, SHA_BYTES = 16, 32
#: an idempotency key and the kind of an action, joined
JOINED_BYTES = 48


@kernel
def choose(kinds: Any, live: Any, sizes: Any, rows: Any) -> tuple[int, Any]:
    """The rows that a decision is made about: live payments. They go into `rows`; how many, and the largest of their sizes."""
    m = 0
    largest = np.int64(0)
    for i in range(len(kinds)):
        if live[i] and kinds[i] == PAYMENT:
            rows[m] = i
            m += 1
            largest = max(largest, np.int64(sizes[i]))
    return m, largest


@kernel
def decide(policy: Any, given: Any, listed: Any, events: Any, matrices: Any, prefixes: Any, room: Any, answers: Any, ids: Any) -> None:
    """Fill the answers and the ids of all rows, see `decided_rows.py` for the arrays."""
    data, starts, lengths = events
    of_decision, of_key, of_action, of_features = prefixes
    digests, joined, join_starts, join_lengths, nothing, words = room
    outcomes, reasons, features = answers
    decision_id, key, action_id, snapshot = ids
    _answer(policy, given, listed, outcomes, reasons)
    _hash(of_decision, data, starts, lengths, nothing, words, digests)
    _take(digests, decision_id)
    _hash(of_key, data, starts, lengths, nothing, words, key)
    texts, kind_starts, kind_lengths = policy[2], outcomes[0], outcomes[1]
    flat = key.reshape(-1)
    for i in range(len(key)):
        join_starts[i] = JOINED_BYTES * i
        join_lengths[i] = SHA_BYTES + kind_lengths[i]
        copy(joined, JOINED_BYTES * i, flat, SHA_BYTES * i, SHA_BYTES)
        copy(joined, JOINED_BYTES * i + SHA_BYTES, texts, kind_starts[i], kind_lengths[i])
    _hash(of_action, joined, join_starts, join_lengths, nothing, words, digests)
    _take(digests, action_id)
    _features(matrices, features)
    _hash(of_features, features[0], features[1], features[2], nothing, words, snapshot)


@part
def _answer(policy: Any, given: Any, listed: Any, outcomes: Any, reasons: Any) -> None:
    """Outcomes as texts, and the lists of reasons as rows of the codes, which POSTURE_MISSING and POSTURE_CLAMPED follow."""
    thresholds, reached_outcomes, _, text_starts, text_lengths, posture_starts, posture_lengths = policy
    score, clamps, missing = given
    offsets, item_starts, item_lengths = listed
    out_starts, out_lengths = outcomes
    out_offsets, code_starts, code_lengths = reasons
    at = 0
    out_offsets[0] = 0
    for i in range(len(score)):
        reached = 0
        while reached < len(thresholds) and score[i] >= thresholds[reached]:
            reached += 1
        outcome = reached_outcomes[reached]
        for code in range(offsets[i], offsets[i + 1]):
            code_starts[at], code_lengths[at] = item_starts[code], item_lengths[code]
            at += 1
        if missing[i]:
            code_starts[at], code_lengths[at] = posture_starts[0], posture_lengths[0]
            at += 1
        if clamps[i] and outcome == ALLOW:
            outcome = STEP_UP
            code_starts[at], code_lengths[at] = posture_starts[1], posture_lengths[1]
            at += 1
        out_offsets[i + 1] = at
        out_starts[i], out_lengths[i] = text_starts[outcome], text_lengths[outcome]


@part
def _features(matrices: Any, features: Any) -> None:
    """The Avro body of each row's feature values: a list of longs and a list of doubles."""
    longs, bits = matrices
    body, starts, lengths = features
    at = 0
    for i in range(len(starts)):
        starts[i] = at
        if longs.shape[1]:
            at = write_varint(body, at, np.int64(longs.shape[1]))
            for k in range(longs.shape[1]):
                at = write_varint(body, at, longs[i, k])
        body[at] = 0
        at += 1
        if bits.shape[1]:
            at = write_varint(body, at, np.int64(bits.shape[1]))
            for k in range(bits.shape[1]):
                store64(body, at, np.uint64(bits[i, k]))
                at += 8
        body[at] = 0
        at += 1
        lengths[i] = at - starts[i]


@part
def _hash(prefix: Any, data: Any, starts: Any, lengths: Any, nothing: Any, words: Any, found: Any) -> None:
    """found[i] = sha256(prefix, row i)."""
    tail, before, state = prefix
    message, open_words, constants, x, blocks = words
    hash_rows(tail, before, state, data, starts, lengths, nothing, message, open_words, constants, x, blocks, found.reshape(-1))


@part
def _take(digests: Any, ids: Any) -> None:
    """The first bytes of each digest."""
    for i in range(len(ids)):
        for k in range(ID_BYTES):
            ids[i, k] = digests[i, k]
