"""The tables in the pages are those of the code."""

from __future__ import annotations

import pytest

from docs import tables
from schemas import generated
from schemas.policy import Policy
from schemas.policy_file import loads
from streams.runtime.settings import Settings


def test_pages_are_up_to_date(capsys):
    """`python -m docs.tables --check` passes in a checkout."""
    assert generated.main(tables.files(), ["--check"], module="docs.tables") == 0
    assert capsys.readouterr().err == ""


def test_every_key_of_a_policy_has_a_meaning():
    """No key is left out, and none is told of that is gone."""
    assert {key.name for key in tables.policy_keys()} == set(tables.POLICY_KEYS)
    assert Policy.model_fields.keys() == {name.split(".")[0] for name in tables.POLICY_KEYS}


def test_every_setting_has_a_meaning():
    """The same for settings."""
    assert set(tables.SETTINGS) == set(Settings.model_fields)


def test_defaults_in_the_table_change_nothing():
    """A policy with every shown default written out is the policy without them.

    A section with a required key is one that a policy may leave out as a whole.
    """
    lines, sections = ["model: m", "task: binary"], {}
    keys = list(tables.policy_keys())
    whole = {key.name.rpartition(".")[0] for key in keys if key.default == "required"} - {""}
    for key in keys:
        section, _, name = key.name.rpartition(".")
        if key.default in ("", "required") or "." in section or section in whole:
            continue
        line = f"{name}: {key.default.strip('`')}"
        (sections.setdefault(section, []) if section else lines).append(line)
    for section, inner in sections.items():
        lines += [f"{section}:", *(f"  {line}" for line in inner)]
    assert len(lines) > 15
    assert loads("\n".join(lines)) == loads("model: m\ntask: binary")


def test_a_page_without_its_marks_is_refused():
    """A mark lost in an edit is noticed."""
    assert tables.between("a\n<!-- t:begin -->\nold\n<!-- t:end -->\n", "t", "new\n") == (
        "a\n<!-- t:begin -->\nnew\n<!-- t:end -->\n"
    )
    with pytest.raises(ValueError, match="'t'"):
        tables.between("a\n<!-- t:begin -->\n", "t", "new\n")
