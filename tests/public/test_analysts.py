"""What an analyst is told to do works, with a login that may only read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import nbformat
import psycopg
import pytest
import typer.main
from nbclient import NotebookClient
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.cli.application import application
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshRequest, refresh
from orchestration.warehouse.roles import TENANT_READER
from tests.cli.conftest import Rollups
from tests.public.conftest import Sample
from tests.public.pages import Block, Shell, blocks, commands_in_text
from tests.public.test_superset_bundle import CONTRACT, DATASETS

pytestmark = pytest.mark.slow

NOTEBOOK = PROJECT_ROOT / "examples" / "notebook.ipynb"
PAGE = (PROJECT_ROOT / "docs" / "connect-your-tool.md").read_text(encoding="utf-8")
DSN = "postgresql+psycopg://dashboards:password@db.example.com:5432/app"
TOOLS = ("Metabase", "Superset", "Tableau", "Power BI", "Looker", "Grafana", "pandas")
SLOWEST_READ_SECONDS = 2


# The notebook ----------------------------------------------------------------------------------


def test_the_notebook_runs_from_top_to_bottom(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLUPS_DATABASE_URL", sample.analyst)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT_ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=120, resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    said = "".join(output.get("text", "") for output in outputs)
    assert len(pictures) == 4
    assert len(re.findall(r"^\w+: \d+ days agree$", said, re.M)) == 4


def test_the_notebook_is_kept_without_what_it_printed() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


# Tools -----------------------------------------------------------------------------------------


def section(tool: str) -> str:
    return PAGE.split(f"\n## {tool}\n")[1].split("\n## ")[0]


def only_block(tool: str, language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", section(tool), re.M | re.S)
    return text


def as_sent(query: str, tenant: str) -> str:
    """The query as a tool sends it, with what its placeholders stand for."""
    query = re.sub(r"\[\[(.*?)\]\]", r"\1", query).replace("{{tenant}}", f"'{tenant}'")
    now = datetime.now(UTC)
    for name, moment in (("From", now - timedelta(days=7)), ("To", now)):
        query = query.replace(f"$__time{name}()", f"'{moment:%Y-%m-%dT%H:%M:%SZ}'")
    return query


@pytest.mark.parametrize("tool", TOOLS)
def test_there_is_an_example_for_a_tool(tool: str) -> None:
    assert only_block(tool, "python" if tool == "pandas" else "sql")


def test_the_measures_for_tools_name_columns_that_exist() -> None:
    columns = CONTRACT["rpt_tenant_daily"]["columns"]
    lookml = only_block("Looker", "lookml")
    named = re.findall(r"\$\{TABLE\}\.(\w+)", lookml) + re.findall(r"rpt\[(\w+)\]", PAGE)
    named += [
        name.replace(" ", "_").lower() for name in re.findall(r"SUM\(\[([\w ]+)\]\)", PAGE, re.I)
    ]
    assert len(named) >= 9
    assert set(named) <= set(columns)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda each: each["table_name"])
def test_what_superset_computes_is_sql(sample: Sample, dataset: dict[str, Any]) -> None:
    view = sql.Identifier(dataset["schema"], dataset["table_name"])
    computed = [each["expression"] for each in (*dataset["columns"], *dataset["metrics"])
                if "expression" in each]  # fmt: skip
    with psycopg.connect(sample.analyst) as session:
        for expression in computed:
            query = sql.SQL("select {} from {}").format(sql.SQL(expression), view)
            assert session.execute(query).fetchone() is not None, expression


# The pages -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def names(sample: Sample) -> dict[str, str]:
    """What the names in the pages stand for here."""
    with psycopg.connect(sample.analyst) as session:
        row = session.execute("select min(tenant_id) from analytics.rpt_tenant_daily").fetchone()
    assert row is not None
    return {
        " TENANT ": f" {row[0]} ",
        "--tenant acme": f"--tenant {row[0]}",
        "--account 17": "--account 1",
        "'...'": "'a password'",
        '"postgresql://..."': f"{sample.analyst!r}",
    }


def with_names(text: str, names: dict[str, str]) -> str:
    for name, here in names.items():
        text = text.replace(name, here)
    return text


@pytest.fixture(scope="module")
def shell(
    sample: Sample,
    names: dict[str, str],
    new_database: Callable[..., str],
    new_login: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Shell:
    """A shell on a copy of the sample, which the commands may change."""
    copy = new_database(str(conninfo_to_dict(sample.url)["dbname"]))
    ann = str(conninfo_to_dict(new_login(copy, "ann", [TENANT_READER]))["user"])
    folder = tmp_path_factory.mktemp("pages")
    names |= {
        "postgresql://user:password@host:5432/database": copy,
        "postgresql://deployer@db.example.com/app": copy,
        " ann\n": f" {ann}\n",
        "/var/lib/node_exporter/textfile": str(folder),
    }
    rollups = Rollups(sample.rollups.home, copy)
    said = rollups.environment(FAMILIES="outreach,support") | {"SUPERSET_PASSWORD": "admin"}
    return Shell(folder, said)


@pytest.mark.parametrize("block", [*blocks("sh"), *blocks("cron")], ids=str)
def test_what_a_page_says_to_type_can_be_typed(
    shell: Shell, names: dict[str, str], block: Block
) -> None:
    script = re.sub(r"^(\S+ ){5}(?=rollups)", "", with_names(block.text, names))
    ended = shell.run(script)
    if "import_bundle" in script:
        # As far as it goes without a Superset.
        assert "http://127.0.0.1:8088 cannot be reached" in ended.stderr
    else:
        assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_the_sql_of_a_page_has_an_answer(
    sample: Sample, names: dict[str, str], block: Block
) -> None:
    query = as_sent(with_names(block.text, names), "Acme Outreach")
    is_for_owner = query.startswith("create role")
    with psycopg.connect(sample.url if is_for_owner else sample.analyst) as session:
        for statement in filter(None, map(str.strip, query.split(";"))):
            cursor = session.execute(statement.encode())
            assert is_for_owner or cursor.fetchall(), statement
        session.rollback()


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_the_python_of_a_page_runs(sample: Sample, names: dict[str, str], block: Block) -> None:
    driver = sample.analyst.replace("postgresql:", "postgresql+psycopg:")
    found: dict[str, Any] = {}
    exec(with_names(block.text, names | {DSN: driver}), found)
    if "open_rate" in found:
        assert 0 < found["open_rate"].max() <= 1


def test_every_command_named_in_a_text_exists() -> None:
    root = typer.main.get_command(application)
    for page, words in commands_in_text():
        command: Any = root
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        # What remains are arguments; a group has none.
        assert not hasattr(command, "commands") or set(words) <= {"--help"}, f"{page}: {words}"
        known = {option for each in command.params for option in each.opts} | {"--help"}
        asked = {word for word in words if word.startswith("--")}
        assert command.name == "dbt" or asked <= known, f"{page}: {command.name} {words}"


# Refreshes -------------------------------------------------------------------------------------


def add_messages(connection: psycopg.Connection, number: int) -> None:
    """What an hour brings: messages of every tenant, all over the last weeks."""
    connection.execute(
        """
        insert into dripiq_app.outbound_messages (
            id, tenant_id, campaign_id, contact_id, channel, dedupe_key, state, sent_at, updated_at
        )
        select
            id || %(mark)s, tenant_id, campaign_id, contact_id, channel, dedupe_key || %(mark)s,
            state, sent_at, now()
        from dripiq_app.outbound_messages
        where sent_at is not null and position('again' in id) = 0
        limit 500
        """,
        {"mark": f"again{number}"},
    )


def read_slowly(url: str, started: Event, done: Event) -> int:
    """Total of one statement that reads until the refreshes are over."""
    with psycopg.connect(url) as session, session.cursor("slow") as cursor:
        session.execute("set idle_in_transaction_session_timeout = '1min'")
        cursor.itersize = 1
        cursor.execute("select sends from analytics.rpt_tenant_daily")
        total = 0
        for (sends,) in cursor:
            total += sends
            started.set()
            done.wait(0.2)
    return total


def read_often(url: str, done: Event) -> list[float]:
    """Seconds of reads, each in a session of its own."""
    took = []
    while not done.is_set():
        begun = time.monotonic()
        with psycopg.connect(url) as session:
            session.execute(
                "select tenant_name, sum(sends), sum(unique_opens)"
                " from analytics.rpt_campaign_daily group by 1"
            ).fetchall()
        took.append(time.monotonic() - begun)
        done.wait(0.05)
    return took


def test_refreshes_disturb_no_reader_and_no_view_of_an_analyst(
    sample: Sample, outreach_settings: Settings
) -> None:
    login = sql.Identifier(str(conninfo_to_dict(sample.analyst)["user"]))
    sends = "select sum(sends)::bigint from {}"
    started, done = Event(), Event()
    with connect(sample.url) as owner, ThreadPoolExecutor(2) as pool:
        owner.execute(sql.SQL("create schema desk authorization {}").format(login))

        def total(relation: str, url: str = sample.analyst) -> int:
            with psycopg.connect(url) as session:
                name = sql.Identifier(*relation.split("."))
                return session.execute(sql.SQL(sends).format(name)).fetchone()[0]  # pyright: ignore

        with psycopg.connect(sample.analyst, options="-c default_transaction_read_only=off") as own:
            own.execute(
                "create view desk.weeks as select date, sends from analytics.rpt_tenant_daily"
            )
        before = total("desk.weeks")
        slow: Future[int] = pool.submit(read_slowly, sample.analyst, started, done)
        often: Future[list[float]] = pool.submit(read_often, sample.analyst, done)
        assert started.wait(30)
        try:
            for number in range(1, 4):
                add_messages(owner, number)
                refresh(outreach_settings, sample.url, RefreshRequest("outreach", "hourly"))
                assert total("desk.weeks") == total("analytics.metrics_tenant_daily")
                assert total("desk.weeks") == before + number * 500
        finally:
            done.set()
            owner.execute("drop schema desk cascade")
    assert slow.result() == before
    assert len(often.result()) > 5
    assert max(often.result()) < SLOWEST_READ_SECONDS
