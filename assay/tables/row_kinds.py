"""Kinds of lane rows, as the `kind` column holds them."""

from __future__ import annotations

RUN_READY, POSTURE, LABEL, CONTEXT, PAYMENT, POLICY_REVISION = 0, 1, 2, 3, 4, 5
