"""What the command line says to somebody who does not know it: plain help that fits a terminal, and one line per mistake."""

from __future__ import annotations

import pytest

from assay.app.cli import COMMANDS, main

FRAMES = "╭╮╰╯│─"


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    printed = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, printed.out, printed.err


@pytest.mark.parametrize("arguments", [[], ["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_has_no_frames_and_fits(arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = told(arguments, capsys)
    assert (code, err) == (0, "")
    assert out.lower().startswith("usage: assay")
    assert not set(out) & set(FRAMES)
    assert "..." not in out.replace("[ARGS]...", "")
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dmo"], "assay: no command 'dmo'."),
        (["report"], "assay report: Missing option '--run'."),
        (["demo", "--rowz", "5"], "assay demo: No such option: --rowz"),
        (["demo", "--rows", "many"], "assay demo: Invalid value for '--rows':"),
        (["oracle", "import"], "assay oracle: Missing argument"),
        (["substrate", "start"], "assay substrate: No such command 'start'."),
    ],
)
def test_a_mistake_is_named_with_where_help_is(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(arguments, capsys)
    assert (code, out) == (2, "")
    assert err.splitlines()[0].startswith(message)
    assert "--help" in err
