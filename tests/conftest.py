"""Fixtures: one real PostgreSQL server for the session, a database of its own for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from orchestration.embedded.demo_data import create_source_tables
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.bootstrap import initialise
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SupportWarehouse, create_source

_numbers = count()

# dbt's own log is long, costs a tenth of a refresh, and says nothing that a failed test does not.
os.environ["DBT_LOG_LEVEL_FILE"] = "none"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shared", type=Path, default=None, help="Folder with data/ and cases/ of recorded events."
    )
    parser.addoption(
        "--cases",
        type=Path,
        default=None,
        help="JSON file of acceptance cases of the support family.",
    )

    parser.addoption(
        "--soak",
        type=float,
        default=0,
        metavar="MINUTES",
        help="Look for rare orders and histories for about so long in each test that has many.",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first: none of them is left alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> float:
    """Minutes to look for rare orders and histories in; 0: a few of them, for every day."""
    return request.config.getoption("--soak") or 0.0


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    folder = request.config.getoption("--shared")
    if folder is None:
        pytest.skip("recorded events are not here (pass --shared FOLDER)")
    return folder.resolve()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Folder for screenshots and the like, kept after the run."""
    folder = PROJECT_ROOT / ".artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that the embedded server's own account can reach; pytest's are closed to it."""
    with TemporaryDirectory(prefix="rollups-tests-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def given_server() -> str | None:
    """Administrator URL of a server that stays when the tests end."""
    return os.environ.get("ROLLUPS_TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def server_url(given_server: str | None, open_folder: Path) -> Iterator[str]:
    """Administrator URL of a real server: ``ROLLUPS_TEST_DATABASE_URL`` or an embedded one."""
    if given_server:
        yield given_server
        return
    server = EmbeddedPostgres(open_folder / "server")
    url = server.start()
    with psycopg.connect(url, autocommit=True) as connection:
        # Tests kill servers of their own; this one only has to be quick.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(setting)))
        connection.execute("alter system set max_prepared_transactions = 4")
    server.stop("fast")
    url = server.start()
    yield url
    server.stop("immediate")


@pytest.fixture(scope="session")
def new_database(server_url: str, given_server: str | None) -> Iterator[Callable[..., str]]:
    """Makes databases, as copies of a template if one is named; at the end none is left."""
    made: list[str] = []

    def create(template: str | None = None) -> str:
        name = f"rollups_test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template1")
                )
            )
        made.append(name)
        return make_conninfo_url(server_url, name)

    yield create
    if given_server is None:
        return  # they go with the server, and to drop some hundred takes minutes
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name in made:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


@pytest.fixture
def database_url(new_database: Callable[..., str]) -> str:
    """URL of a fresh, empty database."""
    return new_database()


@pytest.fixture(scope="session")
def new_login(new_database: Callable[..., str]) -> Iterator[Callable[..., str]]:
    """Makes logins over TCP with a password, members of some roles; drops them at the end.

    Before the databases, which is what it needs ``new_database`` for.
    """
    made: list[tuple[str, str]] = []

    def create(
        database_url: str, name: str, member_of: Sequence[str], *, inherits: bool = True
    ) -> str:
        login = f"{name}_{os.getpid()}"
        parts = conninfo_to_dict(database_url)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("create role {} login {} password {}").format(
                    sql.Identifier(login),
                    sql.SQL("inherit" if inherits else "noinherit"),
                    sql.Literal(f"of {name}"),
                )
            )
            made.append((database_url, login))
            for role in member_of:
                connection.execute(
                    sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(login))
                )
        return f"postgresql://{login}:of%20{name}@127.0.0.1:{parts['port']}/{parts['dbname']}"

    yield create
    for database_url, login in made:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for statement in ("drop owned by {} cascade", "drop role {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(login)))


@pytest.fixture(scope="session")
def test_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ROLLUPS_HOME of the session: the parsed dbt project is shared by all tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def outreach_settings(test_home: Path) -> Settings:
    return Settings(families=("outreach",), home=test_home)


@pytest.fixture(scope="session")
def outreach_template(new_database: Callable[..., str], outreach_settings: Settings) -> str:
    """Name of a database with empty source tables and the project deployed on it."""
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        create_source_tables(connection, SCHEMA)
    initialise(outreach_settings, url)
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def outreach(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> Iterator[OutreachWarehouse]:
    """A deployed outreach warehouse with empty source tables, for one test."""
    with OutreachWarehouse(outreach_settings, new_database(outreach_template)) as warehouse:
        yield warehouse


@pytest.fixture
def new_outreach(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> Callable[[], OutreachWarehouse]:
    """Makes deployed outreach warehouses, for tests that need many."""
    return lambda: OutreachWarehouse(outreach_settings, new_database(outreach_template))


@pytest.fixture(scope="session")
def support_settings(test_home: Path) -> Settings:
    return Settings(families=("support",), home=test_home)


@pytest.fixture(scope="session")
def support_template(new_database: Callable[..., str], support_settings: Settings) -> str:
    """Name of a database with empty support tables and the project deployed on it."""
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        create_source(connection)
    initialise(support_settings, url)
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def new_support(
    new_database: Callable[..., str], support_template: str, support_settings: Settings
) -> Callable[[], SupportWarehouse]:
    """Makes deployed support warehouses, for tests that need many."""
    return lambda: SupportWarehouse(support_settings, new_database(support_template))


@pytest.fixture
def support(new_support: Callable[[], SupportWarehouse]) -> Iterator[SupportWarehouse]:
    """A deployed support warehouse with empty source tables, for one test."""
    with new_support() as warehouse:
        yield warehouse


def make_conninfo_url(server_url: str, database: str) -> str:
    """The server's URL with another database name."""
    parts = conninfo_to_dict(make_conninfo(server_url, dbname=database))
    password = f":{parts['password']}" if parts.get("password") else ""
    return f"postgresql://{parts['user']}{password}@{parts['host']}:{parts['port']}/{database}"
