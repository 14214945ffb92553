"""`python -m engine.stock.left_out worker`."""

from __future__ import annotations

from engine.stock.left_out.app import app

app.main()
