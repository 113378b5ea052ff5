"""The ``kittiwake`` command as a person runs it, in this process."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from streams import cli

Kittiwake = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said without colours."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The output as one line: however wide the terminal was."""
        return " ".join(self.out.split())


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kittiwake:
    """Runs the command with arguments; its main function, so that errors end as they would."""

    def run(*arguments: object, width: int = 200) -> Ended:
        monkeypatch.setattr(sys, "argv", ["kittiwake", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(width))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, _plain(out), _plain(err))

    return run


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
