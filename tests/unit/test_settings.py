"""Settings: all are in ``.env.example`` with their defaults, and a wrong one is named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.errors import SettingsError
from orchestration.settings import PROJECT_ROOT, Settings, load_settings

EXAMPLE = PROJECT_ROOT / ".env.example"
ASSIGNMENT = re.compile(r"^#?(ROLLUPS_[A-Z_]+)=(.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts without any ``ROLLUPS_`` variable and leaves no settings behind."""
    for name in [name for name in os.environ if name.startswith("ROLLUPS_")]:
        monkeypatch.delenv(name)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_example_lists_every_setting_and_no_other() -> None:
    listed = [name for name, _ in ASSIGNMENT.findall(EXAMPLE.read_text())]
    assert sorted(listed) == sorted(f"ROLLUPS_{field.upper()}" for field in Settings.model_fields)


def test_example_says_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("ROLLUPS_"):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value)
    assert Settings() == defaults


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROLLUPS_DATABASE_URL", "mysql://localhost/test"),
        ("ROLLUPS_PG_PORT", "80"),
        ("ROLLUPS_PG_PORT", "many"),
        ("ROLLUPS_FAMILIES", "outreach,sales"),
        ("ROLLUPS_FAMILIES", ","),
        ("ROLLUPS_OUTREACH_SCHEMA", "my schema"),
        ("ROLLUPS_OUTREACH_SCHEMA", 'x"; drop table y; --'),
        ("ROLLUPS_SUPPORT_SCHEMA", "1st"),
        ("ROLLUPS_CHANGE_CAPTURE", "magic"),
        ("ROLLUPS_DELETE_POLICY", "forget"),
        ("ROLLUPS_DISTRIBUTE", "shards"),
        ("ROLLUPS_CAPTURE_OVERLAP_SECONDS", "-1"),
        ("ROLLUPS_START_DATE", "31.12.2025"),
        ("ROLLUPS_START_DATE", "9999-01-01"),
        ("ROLLUPS_MIN_EVENT_DATE", "yesterday"),
        ("ROLLUPS_THREADS", "0"),
        ("ROLLUPS_WEB_PORT", "70000"),
    ],
)
def test_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(variable)
    assert "\n" not in message
    if variable != "ROLLUPS_DATABASE_URL":
        assert repr(value) in message


def test_a_wrong_url_is_not_shown_for_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLUPS_DATABASE_URL", "mysql://me:secret-word@localhost/test")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "secret-word" not in str(caught.value)


def test_the_url_is_hidden_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLUPS_DATABASE_URL", "postgresql://me:secret-word@localhost/test")
    assert "secret-word" not in repr(load_settings())


def test_values_are_read_into_their_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROLLUPS_HOME", str(tmp_path))
    monkeypatch.setenv("ROLLUPS_FAMILIES", " outreach ")
    monkeypatch.setenv("ROLLUPS_THREADS", "4")
    settings = load_settings()
    assert (settings.home, settings.families, settings.threads) == (tmp_path, ("outreach",), 4)


def test_an_empty_variable_is_as_if_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATABASE_URL", "PG_BIN", "PG_PORT", "START_DATE", "CHROMIUM"):
        monkeypatch.setenv(f"ROLLUPS_{variable}", "")
    assert load_settings() == Settings.model_construct()
