"""What an analyst is told to do works, with a login that may only read."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import nbformat
import psycopg
import pytest
from nbclient import NotebookClient
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshRequest, refresh
from tests.public.conftest import Sample
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


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def as_sent(query: str, tenant: str | None) -> str:
    """The query as the tool sends it, with what its placeholders stand for."""
    optional = r"\1" if tenant else ""
    query = re.sub(r"\[\[(.*?)\]\]", optional, query).replace("{{tenant}}", f"'{tenant}'")
    now = datetime.now(UTC)
    for name, moment in (("From", now - timedelta(days=7)), ("To", now)):
        query = query.replace(f"$__time{name}()", f"'{moment:%Y-%m-%dT%H:%M:%SZ}'")
    return query


@pytest.mark.parametrize("tool", TOOLS[:-1])
def test_the_query_for_a_tool_has_an_answer(sample: Sample, tool: str) -> None:
    (query,) = blocks(section(tool), "sql")
    with psycopg.connect(sample.analyst) as session:
        for tenant in (None, "Acme Outreach"):
            assert session.execute(as_sent(query, tenant).encode()).fetchall()


def test_the_lines_for_pandas_run(sample: Sample) -> None:
    (code,) = blocks(section("pandas"), "python")
    assert DSN in code
    found: dict[str, object] = {}
    exec(code.replace(DSN, sample.analyst.replace("postgresql:", "postgresql+psycopg:")), found)
    rates = found["open_rate"]
    assert 0 < rates.max() <= 1  # pyright: ignore[reportAttributeAccessIssue]


def test_the_measures_for_tools_name_columns_that_exist() -> None:
    columns = CONTRACT["rpt_tenant_daily"]["columns"]
    (lookml,) = blocks(section("Looker"), "lookml")
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
