"""Every setting, in one place. Each is an environment variable with the prefix ``ROLLUPS_``."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestration.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"

FAMILIES = ("outreach", "support")

# Their values have a password in them and stand in no message.
SECRETS = ("ROLLUPS_DATABASE_URL", "ROLLUPS_DAGSTER_STORAGE_URL", "ROLLUPS_ALERT_URLS")

_SCHEMA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")


class Settings(BaseSettings):
    """Settings read from ``ROLLUPS_*`` environment variables.

    Raises :class:`~orchestration.errors.SettingsError` (through :func:`load_settings`) with the
    variable, the value and what is allowed.
    """

    model_config = SettingsConfigDict(env_prefix="ROLLUPS_", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL 15+ to use, as postgresql://user:password@host:port/database. "
        "Empty: an embedded server is started.",
    )
    dagster_storage_url: SecretStr | None = Field(
        default=None,
        description="The same for Dagster's own tables (schema dagster), with their own login."
        " Empty: ROLLUPS_DATABASE_URL.",
    )
    home: Path = Field(
        default=PROJECT_ROOT / ".rollups",
        description="Folder for the embedded database, the Dagster home and caches.",
    )
    pg_bin: Path | None = Field(
        default=None,
        description="Folder with another PostgreSQL's programs for the embedded server.",
    )
    pg_port: int | None = Field(
        default=None,
        ge=1024,
        le=65535,
        description="Port of the embedded server; unset: a free one.",
    )
    families: Annotated[tuple[str, ...], NoDecode] = Field(
        default=FAMILIES,
        description=f"Families to run, separated by commas: {', '.join(FAMILIES)}.",
    )
    outreach_schema: str = Field(
        default="dripiq_app", description="Schema of the outreach source tables."
    )
    support_schema: str = Field(
        default="public", description="Schema of the support source tables."
    )
    change_capture: Literal["watermark", "triggers"] = Field(
        default="watermark",
        description="How changed source rows are found: watermark (reads their ingest times,"
        " SELECT rights only) or triggers (installed in the source).",
    )
    delete_policy: Literal["restate", "freeze", "erase"] = Field(
        default="restate",
        description="What deleted outreach rows do to the rollups: restate (they follow the"
        " source), freeze (they keep what they counted) or erase (the same, without the person).",
    )
    distribute: Literal["", "citus"] = Field(
        default="",
        description="citus: `rollups init` spreads ledgers and rollups over the nodes of Citus by"
        " tenant (docs/scaling.md). Empty: all on one server.",
    )
    capture_overlap_seconds: int = Field(
        default=900,
        ge=0,
        le=86_400,
        description="How far behind the watermark source rows are read again (covers clock skew).",
    )
    start_date: date | None = Field(
        default=None, description="First partition (YYYY-MM-DD); default: found in the source."
    )
    min_event_date: date = Field(
        default=date(2000, 1, 1), description="Activity before this date is quarantined."
    )
    backfill_chunk: int = Field(
        default=2000,
        ge=1,
        le=1_000_000,
        description="Most partitions that one refresh of a backfill rebuilds.",
    )
    backfill_rows: int = Field(
        default=250_000,
        ge=1,
        description="Most rows that one refresh of a backfill counts again, by what its"
        " partitions have so far; one with more goes alone. The hourly refresh passes in between.",
    )
    threads: int = Field(default=2, ge=1, le=32, description="dbt threads.")
    lock_timeout_seconds: int = Field(
        default=300,
        ge=0,
        le=86_400,
        description="How long a refresh waits for a lock that another session holds before it"
        " fails, its work still pending; 0: for ever.",
    )
    statement_timeout_seconds: int = Field(
        default=21_600,
        ge=0,
        le=604_800,
        description="How long one statement of a refresh may take; 0: as long as it needs.",
    )
    network_timeout_seconds: int = Field(
        default=60,
        ge=3,
        le=3_600,
        description="How long a silent network is waited for before a refresh and its server give"
        " each other up.",
    )
    log_retention_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="How long logs of refreshes and reconciliations are kept, at least 31 days;"
        " 0: for ever. A reconciliation of everything deletes older ones.",
    )
    web_port: int = Field(default=3000, ge=1024, le=65535, description="Port of the Dagster UI.")
    ui_url: str | None = Field(
        default=None,
        description="Address at which people open the Dagster UI, for links in alerts; unset:"
        " this machine's.",
    )
    alert_urls: SecretStr | None = Field(
        default=None,
        description="Where alerts go: addresses of apprise (mailtos://, slack://, jsons://, ...)"
        " separated by blanks; unset: to the log only.",
    )
    debug: bool = Field(default=False, description="Show the traceback of an error.")
    chromium: Path | None = Field(
        default=None, description="Chromium or Chrome for the browser tests."
    )

    @field_validator("families", mode="before")
    @classmethod
    def _split_families(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(part.strip() for part in value.split(",") if part.strip())
        unknown = [name for name in names if name not in FAMILIES]
        if unknown or not names:
            wrong = repr(", ".join(unknown)[:80]) if unknown else "empty"
            raise ValueError(f"{wrong}: use one or more of {', '.join(FAMILIES)}")
        return names

    @field_validator("outreach_schema", "support_schema")
    @classmethod
    def _check_schema_name(cls, value: str) -> str:
        if not _SCHEMA_NAME.fullmatch(value):
            raise ValueError("a schema name has letters, digits and underscores only, at most 63")
        return value

    @field_validator(
        "database_url",
        "dagster_storage_url",
        "pg_bin",
        "pg_port",
        "start_date",
        "chromium",
        "ui_url",
        "alert_urls",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("database_url", "dagster_storage_url")
    @classmethod
    def _check_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        value.get_secret_value().encode()  # bytes that are no UTF-8 are a ValueError
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("use postgresql://user:password@host:port/database")
        return value

    @field_validator("ui_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("use an address such as https://dagster.example.com")
        return value

    @property
    def ui_address(self) -> str:
        """Address of the Dagster UI, without a slash at its end."""
        return (self.ui_url or f"http://127.0.0.1:{self.web_port}").rstrip("/")

    @property
    def alert_addresses(self) -> list[str]:
        """The addresses alerts go to; they hold passwords."""
        return self.alert_urls.get_secret_value().split() if self.alert_urls else []

    @field_validator("log_retention_days")
    @classmethod
    def _check_days(cls, value: int) -> int:
        if 0 < value < 31:
            raise ValueError("status and alerts read the last 30 days: use 31 or more, or 0")
        return value

    @field_validator("min_event_date", "start_date")
    @classmethod
    def _check_date(cls, value: date | None) -> date | None:
        if value is not None and value > date.today() + timedelta(days=1):
            raise ValueError("the date lies in the future")
        return value


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings, once per process; a wrong one raises ``SettingsError``."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = "ROLLUPS_" + str(first["loc"][0]).upper()
        given = "" if name in SECRETS else f"={str(first['input'])[:80]!r}"
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{name}{given}: {reason}") from None
