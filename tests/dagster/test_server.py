"""A real `dagster dev`, daemon and all, asked over GraphQL as the browser would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from orchestration.dagster_environment import read_only_command
from orchestration.settings import Settings
from tests.dagster.conftest import TENANTS, fill
from tests.dagster.proxy import AS_ANN, WEB_SOCKET, nginx, proxy_before
from tests.dagster_server import DagsterServer, dagster_server
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., str], outreach_template: str, test_home: Path
) -> Iterator[OutreachWarehouse]:
    with OutreachWarehouse(
        Settings(families=("outreach",), home=test_home), new_database(outreach_template)
    ) as filled:
        fill(filled)
        yield filled


@pytest.fixture(scope="module")
def server(warehouse: OutreachWarehouse, tmp_path_factory: pytest.TempPathFactory):
    log_path = tmp_path_factory.mktemp("dagster") / "dagster-dev.log"
    with dagster_server(warehouse.settings, warehouse.url, log_path) as running:
        yield running


def test_hourly_run_backfills_and_refusals(
    server: DagsterServer, warehouse: OutreachWarehouse
) -> None:
    """One test, because the daemon looks at backfills only twice a minute."""
    hourly = server.launch("outreach_refresh", {"dagster/priority": "10"})
    assert server.wait_for_run(hourly) == "SUCCESS"
    everything = {f"2026-03-{day:02}|{tenant}" for day in range(9, 13) for tenant in TENANTS}
    marks = server.marks(hourly)
    assert marks["metrics_tenant_daily"] == everything
    assert set(map(frozenset, marks.values())) == {frozenset(everything)}
    assert warehouse.differences() == []
    forking = [command for command in server.commands() if "multiprocessing.forkserver" in command]
    assert ["orchestration.run_imports" in command for command in forking] == [True], "not forked"

    warehouse.connection.execute("update analytics.metrics_tenant_daily set sends = 99, opens = 99")
    chosen = [f"2026-03-{day}|{tenant}" for day in (10, 11, 12) for tenant in ("acme", "birch")]
    backfill = server.backfill(chosen, ["metrics_tenant_daily"])
    scattered = ["2026-03-09|acme", "2026-03-11|cedar", "2026-03-09|birch", "2026-03-12|cedar"]
    of_job = server.backfill_job(["2026-03-09|cedar", "2026-03-10|cedar"], "outreach_refresh")
    several = server.backfill(scattered, ["metrics_tenant_daily", "metrics_contact_hourly"])
    unknown = server.launch("outreach_refresh", {"dagster/partition": "2026-03-09|nobody"})

    assert server.wait_for_run(unknown) == "FAILURE"
    assert "unknown outreach tenant 'nobody'" in server.failure(unknown)

    done = server.wait_for_backfill(backfill)
    assert done["status"] == "COMPLETED_SUCCESS"
    assert len(done["runs"]) == 2, "a run per tenant"
    marked = [server.marks(run["id"]).get("metrics_tenant_daily", set()) for run in done["runs"]]
    assert set().union(*marked) == set(chosen)

    done = server.wait_for_backfill(several)
    assert done["status"] == "COMPLETED_SUCCESS"
    marked = [server.marks(run["id"]).get("metrics_contact_hourly", set()) for run in done["runs"]]
    assert set().union(*marked) == set(scattered)
    assert sum(map(bool, marked)) == 1, "one run does the work of those that wait"
    runs = [run["id"] for run in done["runs"]]
    without_result = warehouse.rows(
        "select run_id, check_name, execution_status from dagster.asset_check_executions"
        " where run_id = any(%s) and execution_status not in ('SUCCEEDED', 'FAILED')",
        runs,
    )
    assert without_result == [], "each run was to evaluate the checks"
    assert set(server.checks("metrics_tenant_daily").values()) == {"SUCCEEDED"}

    done = server.wait_for_backfill(of_job)
    assert done["status"] == "COMPLETED_FAILED"
    assert "launch the backfill on an asset" in server.failure(done["runs"][0]["id"])

    rebuilt = {(key.split("|")[1], date.fromisoformat(key[:10])) for key in (*chosen, *scattered)}
    wrong = set(
        warehouse.rows(
            "select tenant_id, date from analytics.metrics_tenant_daily where sends = 99"
        )
    )
    assert wrong == {("cedar", date(2026, 3, 9)), ("cedar", date(2026, 3, 10))}
    assert len(rebuilt) == 10


def test_a_read_only_webserver_shows_everything_and_starts_nothing(
    server: DagsterServer, warehouse: OutreachWarehouse, tmp_path: Path
) -> None:
    run = server.launch("outreach_refresh", {})
    assert server.wait_for_run(run) == "SUCCESS"
    log_path = tmp_path / "read-only.log"
    with dagster_server(
        warehouse.settings, warehouse.url, log_path, command=read_only_command
    ) as reading:
        assert reading.wait_for_run(run) == "SUCCESS"
        with pytest.raises(AssertionError, match="UnauthorizedError"):
            reading.launch("outreach_refresh", {})


def test_a_proxy_asks_for_a_login_and_passes_web_sockets(
    server: DagsterServer, tmp_path: Path
) -> None:
    program = nginx()
    if program is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx)")
    with proxy_before(server.address, program, tmp_path) as proxy:
        for path in ("/", "/graphql", "/server_info", "/assets", "/static/none.js"):
            assert proxy.status(path, {}) == 401, path
        assert proxy.status("/graphql", WEB_SOCKET) == 401
        assert proxy.status("/server_info", {"Authorization": "Basic YW5uOndyb25n"}) == 401
        assert proxy.status("/server_info", AS_ANN) == 200
        assert proxy.status("/graphql", AS_ANN | WEB_SOCKET) == 101
