"""`assay completion SHELL`: a script by which the shell completes commands, subcommands and options.

Typer's own completion would import every command for each key; here the first word imports none, and the others import one.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.screen import say

#: asks this command for words; the first argument says that a script asks
WORDS = "words"
_BASH = """\
_assay_words() {
  local IFS=$'\\n'
  COMPREPLY=( $("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) )
}
complete -o default -o bashdefault -F _assay_words assay
"""
_ZSH = """\
#compdef assay
_assay_words() {
  local -a found
  found=( ${(f)"$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"} )
  if (( ${#found} )); then compadd -a found; else _files; fi
}
compdef _assay_words assay
"""
_FISH = """\
function __assay_words
  set -l given (commandline -opc) (commandline -ct)
  $given[1] completion words -- $given[2..-1] 2>/dev/null
end
complete -c assay -a '(__assay_words)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay completion`."""
    if arguments[:2] == [WORDS, "--"]:
        say("\n".join(words(arguments[2:])))
        return 0
    return int(app(arguments, standalone_mode=False, prog_name="assay completion") or 0)


@app.command()
def completion(shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"one of: {', '.join(SCRIPTS)}")]) -> None:
    """Print the script for a shell. It completes commands, subcommands and options; paths are completed as everywhere.

    Example, in ~/.bashrc: eval "$(assay completion bash)"
    """
    if shell not in SCRIPTS:
        raise typer.BadParameter(f"no script for '{shell}'; there is one for {', '.join(SCRIPTS)}")
    say(SCRIPTS[shell], end="")


def words(given: list[str]) -> list[str]:
    """What the last of these words may become; the words before are complete, and the command itself is not among them."""
    from assay.app.cli import COMMANDS

    *before, begun = given or [""]
    if not before:
        return _beginning(begun, COMMANDS)
    if before[0] not in COMMANDS:
        return []
    found = vars(importlib.import_module(COMMANDS[before[0]][0])).get("app")
    if not isinstance(found, typer.Typer):
        return []
    command: Any = typer.main.get_command(found)
    inner = vars(command).get("commands")
    if inner:
        named = next((word for word in before[1:] if word in inner), None)
        if named is None:
            return _beginning(begun, inner)
        command = inner[named]
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    return _beginning(begun, [*options, "--help"]) if begun.startswith("-") else []


def _beginning(begun: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(begun)]
