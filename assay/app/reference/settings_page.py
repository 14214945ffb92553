"""The settings reference of the documentation, written from the declarations: `python -m assay.app.reference.settings_page FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from assay.app.settings import PREFIX, Settings

HEAD = """\
# Settings

Settings say where things are: addresses, ports, directories. Policy documents say how payments are decided. An environment variable wins
over the YAML file named by `ASSAY_WIRING` (same names, lower case, without `ASSAY_`). The file wins over the default. An unknown name is
refused.

| variable | default | meaning |
|---|---|---|
"""


def settings_reference() -> str:
    """The reference as Markdown, one row per setting in the order of declaration."""
    return HEAD + "".join(
        f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_text(field)} |\n" for name, field in Settings.model_fields.items()
    )


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        made = str(field.get_default(call_default_factory=True, validated_data={}))
        return f"`{made.replace(str(Path.home()), '~')}`"
    return "" if field.default in ("", None) else f"`{field.default}`"


def _text(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(settings_reference(), encoding="utf-8")
