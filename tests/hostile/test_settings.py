"""Every setting from the environment, replaced by every attack: refused, or what it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from orchestration.cli import main
from orchestration.errors import SettingsError
from orchestration.settings import SECRETS, Settings, load_settings
from tests.hostile.attacks import ATTACKS, NOT_UTF8
from tests.hostile.canary import Canary
from tests.outreach.warehouse import OutreachWarehouse

TEXTS = {**ATTACKS, "not_utf8": NOT_UTF8}
MOST_SHOWN = 400

# Names of folders, and addresses: nothing is wrong with an odd one until it is used.
FREE = {"home", "pg_bin", "chromium", "alert_urls"}
# Words like any other.
SOUND_NAMES = {"ACME", "null", "infinity"}
WITH_A_SCHEME = {
    "database_url": "postgresql://user:secret-word@127.0.0.1:1/",
    "dagster_storage_url": "postgresql://user:secret-word@127.0.0.1:1/",
    "ui_url": "https://",
}


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Settings | str:
    """The settings with this one, or what is said of it."""
    monkeypatch.setenv(f"ROLLUPS_{name.upper()}", text)
    load_settings.cache_clear()
    try:
        return load_settings()
    except SettingsError as error:
        return str(error)
    finally:
        load_settings.cache_clear()
        monkeypatch.delenv(f"ROLLUPS_{name.upper()}")


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.usefixtures("in_folder")
def test_a_setting_is_refused_in_one_line_or_plain(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable = f"ROLLUPS_{name.upper()}"
    for attack, text in TEXTS.items():
        result = loaded(monkeypatch, name, text)
        if isinstance(result, str):
            assert result.startswith(variable), attack
            assert result.isprintable(), attack
            assert len(result) < MOST_SHOWN, attack
            assert variable not in SECRETS or not text.strip() or text not in result, attack
            continue
        taken = getattr(result, name)
        if text == "" and taken == Settings.model_fields[name].default:
            continue
        if name in FREE:
            shown = taken.get_secret_value() if name == "alert_urls" else str(taken)
            assert shown in (text, str(Path(text))), attack
        else:
            assert isinstance(taken, int | date) or taken in SOUND_NAMES, (attack, taken)


@pytest.mark.parametrize("name", WITH_A_SCHEME)
def test_an_address_hides_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, use_settings: Callable[[str, str], None]
) -> None:
    del use_settings  # clears the settings at the end
    for attack, text in TEXTS.items():
        result = loaded(monkeypatch, name, WITH_A_SCHEME[name] + text)
        assert "secret-word" not in str(result), attack


def test_commands_with_odd_addresses_end_in_one_line(
    outreach_here: OutreachWarehouse,
    outreach_canary: Canary,
    use_settings: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_folder: Path,
) -> None:
    """A database that is named by an attack, on the server that there is."""
    use_settings(outreach_here.url, "outreach")
    monkeypatch.setattr("sys.argv", ["rollups", "status"])
    base = outreach_here.url.rpartition("/")[0]
    for attack, text in TEXTS.items():
        for url in (f"{base}/{text}", f"{outreach_here.url}?options={text}"):
            monkeypatch.setenv("ROLLUPS_DATABASE_URL", url)
            load_settings.cache_clear()
            code = main()
            said = capsys.readouterr().err
            if code == 0:
                continue
            assert code in (2, 3), (attack, said)
            lines = said.splitlines()
            assert len(lines) == 1, (attack, said)
            assert lines[0].isprintable(), (attack, said)
            assert "Traceback" not in said, attack
    outreach_canary.assert_untouched()


@pytest.mark.parametrize("name", ["outreach_schema", "support_schema"])
def test_no_attack_is_the_name_of_a_schema(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    taken = [
        text for text in TEXTS.values() if not isinstance(loaded(monkeypatch, name, text), str)
    ]
    assert set(taken) <= SOUND_NAMES
