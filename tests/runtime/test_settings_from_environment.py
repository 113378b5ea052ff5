"""Settings come from the environment, options stand on top, and impossible values are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import ConfigurationError
from streams.commands.options import settings_of
from streams.runtime.settings import Settings


def test_the_environment_is_read_and_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that was not given is None, and leaves the variable its say."""
    monkeypatch.setenv("KITTIWAKE_PREFIX", "team.")
    monkeypatch.setenv("KITTIWAKE_SHARDS", "12")
    monkeypatch.setenv("KITTIWAKE_DATA", "/data")
    settings = settings_of(shards=3, bootstrap=None, worker="7")
    assert (settings.prefix, settings.shards, settings.worker) == ("team.", 3, "7")
    assert settings.data == Path("/data")
    assert settings.bootstrap == Settings.model_fields["bootstrap"].default
    assert settings.topic("alerts") == "team.alerts"


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that share them see the same."""
    with pytest.raises(ValidationError):
        Settings().shards = 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shards", "0"),
        ("shards", "1025"),
        ("models", "0"),
        ("metrics_port", "70000"),
        ("idle_ms", "0"),
        ("checkpoint_ms", "-1"),
        ("poll_records", "many"),
    ],
)
def test_an_impossible_value_names_setting_value_and_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that whoever reads it knows what to change."""
    monkeypatch.setenv(f"KITTIWAKE_{name.upper()}", value)
    with pytest.raises(ConfigurationError) as caught:
        settings_of()
    for part in (f"setting {name} is '{value}'", f"KITTIWAKE_{name.upper()}"):
        assert part in str(caught.value)
