"""A real `dagster dev` with passwords in its settings: attacked over GraphQL, then searched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from orchestration.settings import Settings
from tests.cli.conftest import Rollups
from tests.dagster_server import DagsterServer, dagster_server
from tests.hostile.attacks import ATTACKS, NUL
from tests.hostile.conftest import fill_outreach, watched
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

pytestmark = pytest.mark.slow

SECRETS = {
    "DATABASE_URL": "secret-of-the-database",
    "DAGSTER_STORAGE_URL": "secret-of-the-storage",
    "ALERT_URLS": "secret-of-the-alerts",
}
ADD_PARTITION = """
mutation($key: String!) {
  addDynamicPartition(
    repositorySelector: {repositoryLocationName: "rollups", repositoryName: "__repository__"},
    partitionsDefName: "outreach_tenant", partitionKey: $key
  ) { __typename }
}"""
SEEN_IN_THE_UI = (
    "{ instance { info daemonHealth { id } } version }",
    (
        "{ runsOrError { ... on Runs { results { runId status runConfigYaml tags { key value }"
        " eventConnection { events { ... on MessageEvent { message } } } } } } }"
    ),
    (
        "{ workspaceOrError { ... on Workspace { locationEntries { name"
        " displayMetadata { key value } } } } }"
    ),
    (
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { allTopLevelResourceDetails {"
        " name configuredValues { key value } configFields { name defaultValueAsJson } } } } } }"
    ),
)


@dataclass(frozen=True)
class Place:
    """A server, its warehouse, its home, and all that was printed."""

    server: DagsterServer
    warehouse: OutreachWarehouse
    rollups: Rollups
    home: Path
    log: Path
    settings: dict[str, str]


def login(url: str, role: str, password: str) -> str:
    """The URL of a superuser of the test's own with this password."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} superuser login password {}").format(
                sql.Identifier(role), sql.Literal(password)
            )
        )
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}").geturl()


@pytest.fixture(scope="module")
def place(
    new_database: Callable[..., str],
    outreach_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    url = new_database(outreach_template)
    home = tmp_path_factory.mktemp("home")
    roles = ("hostile_worker", "hostile_storage")
    worker = login(url, roles[0], SECRETS["DATABASE_URL"])
    storage = login(url, roles[1], SECRETS["DAGSTER_STORAGE_URL"])
    given = {
        "DAGSTER_STORAGE_URL": storage,
        "ALERT_URLS": f"json://someone:{SECRETS['ALERT_URLS']}@127.0.0.1:9/",
    }
    settings = Settings(
        families=("outreach",), home=home, dagster_storage_url=SecretStr(storage),
        alert_urls=SecretStr(given["ALERT_URLS"]),
    )  # fmt: skip
    log = home / "dagster-dev.log"
    with pytest.MonkeyPatch.context() as patch, OutreachWarehouse(settings, worker) as warehouse:
        for name, value in given.items():
            patch.setenv(f"ROLLUPS_{name}", value)
        patch.setenv("ROLLUPS_FAMILIES", "outreach")
        fill_outreach(warehouse)
        with dagster_server(settings, worker, log) as server, watched(worker, SCHEMA):
            yield Place(server, warehouse, Rollups(home, worker), home, log, given)
    with psycopg.connect(url, autocommit=True) as connection:
        for role in roles:
            name = sql.Identifier(role)
            connection.execute(sql.SQL("reassign owned by {} to current_user").format(name))
            connection.execute(sql.SQL("drop owned by {}").format(name))
            connection.execute(sql.SQL("drop role {}").format(name))


def test_attacks_over_graphql(place: Place) -> None:
    """One test, as each run is a process: the kinds of text that differ to SQL and to Dagster."""
    server = place.server
    run = server.launch("outreach_refresh")
    assert server.wait_for_run(run) == "SUCCESS"
    before = refreshes(place.warehouse)
    for text in ATTACKS.values():
        server.ask(ADD_PARTITION, key=text)
    names = ("closed_text", "jinja")
    attacked = [
        server.launch("outreach_refresh", {"dagster/partition": f"2026-03-10|{ATTACKS[name]}"})
        for name in names
    ]
    for run in attacked:
        assert server.wait_for_run(run) == "FAILURE"
        assert "Traceback" not in server.failure(run)
    assert refreshes(place.warehouse) == before
    # The webserver reads every partition for each of them.
    for text in (*list(ATTACKS.values())[::3], NUL):
        with pytest.raises((AssertionError, OSError)):
            server.backfill([text], ["metrics_tenant_daily"])
    assert place.warehouse.differences() == []


def refreshes(warehouse: OutreachWarehouse) -> int:
    return warehouse.rows("select count(*) from ops.refresh_log where event = 'started'")[0][0]


def test_no_secret_is_written_down(place: Place) -> None:
    """After work that succeeded and work that failed."""
    mart = "alter table analytics.metrics_tenant_daily"
    printed = []
    for arguments, broken in (
        (["refresh"], False), (["status"], False), (["doctor"], False), (["refresh"], True),
    ):  # fmt: skip
        if broken:
            place.warehouse.connection.execute(
                f"{mart} add constraint refused check (false) not valid".encode()
            )
            place.warehouse.set_timezone("acme", "Pacific/Kiritimati")
        ended = place.rollups(*arguments, **place.settings)
        assert (ended.returncode == 5) == broken, ended.stderr
        printed += [ended.stdout, ended.stderr]
    assert place.server.wait_for_run(place.server.launch("outreach_refresh")) == "FAILURE"
    place.warehouse.connection.execute(f"{mart} drop constraint refused".encode())

    shown = [json.dumps(place.server.ask(query)) for query in SEEN_IN_THE_UI]
    stored = [str(row) for row in stored_by_dagster(place.warehouse)]
    files = [path for path in place.home.rglob("*") if path.is_file()]
    written = [path.read_bytes().decode(errors="replace") for path in files]
    assert place.log in files
    assert any("outreach_refresh" in text for text in stored), "there is something to search"
    for setting, secret in SECRETS.items():
        for kind, texts in (("printed", printed), ("shown", shown), ("stored", stored)):
            assert not [text[:300] for text in texts if secret in text], (setting, kind)
        held = [path for path, text in zip(files, written, strict=True) if secret in text]
        assert not held, (setting, held)


def stored_by_dagster(warehouse: OutreachWarehouse) -> Iterator[tuple[object, ...]]:
    tables = warehouse.rows("select tablename from pg_tables where schemaname = 'dagster'")
    for (table,) in tables:
        yield from warehouse.connection.execute(
            sql.SQL("select * from {}").format(sql.Identifier("dagster", table))
        )
