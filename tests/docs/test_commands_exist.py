"""What a page tells people to type exists."""

from __future__ import annotations

import re
import shlex

import pytest
import typer.main

from streams.cli import app

ROOT = typer.main.get_command(app)
MAKE = re.compile(r"^(?:PYTHON=\S+ )?make ([a-z-]+)")


def commands_of(line: str) -> list[list[str]]:
    """Each ``kittiwake`` command in a line, as words without the rest of the line."""
    found = []
    for part in re.split(r"[|;]|&&", line):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            continue
        if words and words[0].rpartition("/")[2] == "kittiwake":
            found.append(words[1:])
    return found


def fault(words: list[str]) -> str:
    """Why a command cannot be given; empty where it can."""
    command, words = ROOT, list(words)
    while hasattr(command, "commands") and words:
        name = words.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known | {"--help"}]
    return f"no option {' '.join(unknown)}" if unknown else ""


def test_commands_and_options_exist(pages):
    """In shell blocks and in running text."""
    faults, seen = [], 0
    for page in pages.values():
        for line in page.code:
            for words in commands_of(line):
                seen += 1
                if said := fault(words):
                    faults.append(f"{page.name}: kittiwake {' '.join(words)}: {said}")
    assert faults == []
    assert seen > 20


def test_every_command_is_documented(pages):
    """Each command stands in a page, with its group."""
    shown = {tuple(words) for p in pages.values() for line in p.code for words in commands_of(line)}
    for name, command in ROOT.commands.items():
        inner = getattr(command, "commands", [""])
        for sub in inner:
            wanted = (name, sub) if sub else (name,)
            assert any(words[: len(wanted)] == wanted for words in shown), wanted


def test_make_targets_exist(pages):
    """``make`` in a page names a target."""
    makefile = (pages["README.md"].path.parent / "Makefile").read_text(encoding="utf-8")
    asked = {
        match[1] for p in pages.values() for line in p.code if (match := MAKE.match(line.strip()))
    }
    assert "demo" in asked
    for target in asked:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("kittiwake replay e.jsonl --policy p.yaml", ""),
        ("kittiwake polcy apply p.yaml", "no command polcy"),
        ("kittiwake topics create --partitions 3  # three", "no option --partitions"),
    ],
)
def test_a_wrong_command_is_found(line, said):
    """The check can fail."""
    (words,) = commands_of(line)
    assert fault(words) == said
