"""Documents of profiles: those that ship, and somebody's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from assay.app.profiles.documents import SHIPPED


def held(name: str = "local") -> dict[str, Any]:
    """The document of a shipped profile."""
    document: dict[str, Any] = yaml.safe_load(SHIPPED.joinpath(f"{name}.yaml").read_bytes())
    return document


def written(folder: Path, document: Any, name: str = "mine.yaml") -> str:
    """A profile of somebody's own; its path."""
    (folder / name).write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return str(folder / name)


#: the variables of the wiring `aws`, as of a deployment where everything lasts and is pinned
MANAGED = {
    "KAFKA_BOOTSTRAP_SERVERS": "b.example.org:9093",
    "PLATFORM_DSN": "postgresql://h/db",
    "STORE_ROOT": "s3://assay/runs",
    "AUTHORITY_DSN": "postgresql://h/db",
    "ORACLE_ROOT": "s3://oracle/worlds/c25a2675fbfbacd9",
    "STREAM_VIEW_ROOT": "s3://oracle/worlds/c25a2675fbfbacd9/stream_view/ts_utc",
    "LAUNCH_REF": "task-7",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/sr",
}
