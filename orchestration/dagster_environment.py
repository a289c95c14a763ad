"""Everything a Dagster process needs in its environment, and the folders it expects."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.bootstrap import ensure_schema
from orchestration.warehouse.connection import network_limits

DAGSTER_SCHEMA = "dagster"
EVENT_BATCH_SIZE = 500


def dagster_environment(settings: Settings, url: str) -> dict[str, str]:
    """Prepare Dagster's home and schema and return the variables to set for its processes.

    ``url`` is the database's. Its schema ``dagster`` holds Dagster's own tables. Raises
    ``DatabaseError`` when the database cannot be reached or the schema not be made.
    """
    home = settings.home.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    given = settings.dagster_storage_url
    storage = url if given is None else given.get_secret_value()
    ensure_schema(storage, DAGSTER_SCHEMA)
    python_path = [str(PROJECT_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        "DAGSTER_HOME": str(home),
        "DAGSTER_EVENT_BATCH_SIZE": str(EVENT_BATCH_SIZE),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONPATH": os.pathsep.join(filter(None, dict.fromkeys(python_path))),
        "ROLLUPS_HOME": str(settings.home.resolve()),
        "ROLLUPS_DATABASE_URL": url,
        "ROLLUPS_DAGSTER_DATABASE_URL": storage_url(storage, network_limits(storage, settings)),
        "ROLLUPS_DAGSTER_LOGS": str(home / "logs"),
    }


def dagster_command(settings: Settings) -> list[str]:
    """Webserver and daemon together on 127.0.0.1; run it from any folder but the project's.

    In the project's folder Dagster warns of ``dagster.yaml``, which is used through its copy.
    """
    return _python("dagster", "dev", *_address(settings), "--log-level", "warning")


def read_only_command(settings: Settings) -> list[str]:
    """A webserver on 127.0.0.1 that shows everything and starts or changes nothing."""
    return _python(
        "dagster_webserver", "--read-only", *_address(settings),
        "--dagster-log-level", "warning", "--uvicorn-log-level", "warning",
    )  # fmt: skip


def _address(settings: Settings) -> tuple[str, ...]:
    workspace = PROJECT_ROOT / "workspace.yaml"
    return (
        "--workspace", str(workspace), "--host", "127.0.0.1", "--port", str(settings.web_port),
    )  # fmt: skip


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", module, *arguments]


def storage_url(url: str, limits: Mapping[str, int] | None = None) -> str:
    """The database's URL for SQLAlchemy, with Dagster's schema as its only search path.

    ``limits`` are further parameters of libpq.
    """
    said = {**conninfo_to_dict(url), **(limits or {})}
    parts = {name: str(value) for name, value in said.items() if value is not None}
    options = f"{parts.pop('options', '')} -c search_path={DAGSTER_SCHEMA}".strip()
    host, port = parts.pop("host", ""), parts.pop("port", "")
    in_query = {"host": host} if host.startswith("/") else {}
    return URL.create(
        "postgresql+psycopg2",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        host=None if in_query else host or None,
        port=int(port) if port else None,
        database=parts.pop("dbname", None),
        query={**parts, **in_query, "options": options},
    ).render_as_string(hide_password=False)
