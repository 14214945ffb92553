"""The settlement lock over the settings in force."""

from __future__ import annotations

from assay.app.profiles.settlement import Settled, refuse_unsettled
from assay.app.settings import Settings, is_set


def settled_by(settings: Settings) -> Settled:
    """What the settlement lock looks at."""
    return Settled(
        control_bus=settings.control_bus,
        bus=settings.bus,
        sql=settings.sql,
        store=settings.store,
        authority=settings.authority,
        pins={"oracle_root": settings.oracle_root, "stream_view_root": settings.stream_view_root},
        launch_ref=settings.launch_ref,
        identity_variable=settings.identity_variable,
        identified=bool(settings.identity_variable) and is_set(settings.identity_variable),
    )


def refuse_where_managed(settings: Settings) -> bool:
    """Whether the settlement is managed. Raises Stop(SETTLEMENT_LOCK) if it is, and something does not last or is not pinned."""
    if settings.settlement == "open":
        return False
    refuse_unsettled(settled_by(settings), f"profile {settings.profile}" if settings.profile else "settings")
    return True
