"""The typer app every command starts from: help without boxes, which fits any width, and tracebacks as Python writes them."""

from __future__ import annotations

import typer


def plain_app(help_text: str | None = None, *, no_args_is_help: bool = False) -> typer.Typer:
    """An app without shell completion, colours and frames."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=no_args_is_help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
