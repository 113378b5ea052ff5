"""What the README shows can be done as shown."""

from __future__ import annotations

import ast

from typer.testing import CliRunner

from schemas.policy_file import loads
from streams.cli import app


def test_the_policy_and_the_events_replay(pages, tmp_path, monkeypatch):
    """The YAML and the two events, written to files, go through the command beside them."""
    blocks = dict(pages["README.md"].blocks)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(blocks["yaml"])
    (tmp_path / "events.jsonl").write_text(blocks["json"])
    done = CliRunner().invoke(app, ["replay", "events.jsonl", "--policy", "policy.yaml"])
    assert done.exit_code == 0, done.output
    assert "0 dead letters" in done.output
    assert (tmp_path / "out" / "replay" / "windows.jsonl").read_text().count("\n") == 1


def test_the_policy_of_the_doctest_is_the_one_above_it(pages):
    """A reader may compare them."""
    page = pages["README.md"]
    (doctest,) = [block for _, block in page.blocks if block.startswith(">>>")]
    shown = doctest.partition('loads("""\n')[2].partition('... """)')[0].replace("... ", "")
    assert loads(shown) == loads(dict(page.blocks)["yaml"])


def test_python_of_the_pages_is_python(pages):
    """Blocks that cannot run without a broker at least parse, and import what is there."""
    blocks = [b for p in pages.values() for kind, b in p.blocks if kind == "python"]
    plain = [block for block in blocks if not block.startswith(">>>")]
    assert plain
    for block in plain:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = __import__(node.module, fromlist=["_"])
                assert all(hasattr(module, name.name) for name in node.names)


def test_the_readme_is_short(pages):
    """Under 200 lines, with a place for the figures of a run."""
    text = pages["README.md"].text
    assert text.count("\n") < 200
    assert text.index("<!-- demo:begin -->") < text.index("<!-- demo:end -->")
