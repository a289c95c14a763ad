"""What each command does, in the order in which a person meets them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from orchestration.settings import PROJECT_ROOT
from tests.cli.conftest import TENANTS, Rollups, fingerprint, query

OUTREACH = ("--family", "outreach")


def test_help_is_quick_and_lists_exit_codes(shared_rollups: Rollups) -> None:
    probe = (
        "import sys, orchestration.cli.application;"
        "heavy = ('pydantic', 'psycopg', 'dagster', 'dbt', 'pandas');"
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", probe], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
    ended = shared_rollups("--help")
    assert ended.returncode == 0
    assert "Exit codes" in ended.stdout
    assert shared_rollups().stdout == ended.stdout


def test_init_may_be_run_again_and_changes_nothing(rollups: Rollups) -> None:
    before = fingerprint(rollups.url)
    assert rollups.json("init")["families"] == ["outreach"]
    after = fingerprint(rollups.url)
    # The version that was deployed, and the log of what its models wrote: nothing.
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed <= {"ops.config", "ops.refresh_model"}
    assert before.keys() == after.keys()


def test_refresh_takes_what_is_new_of_whom_it_is_asked(rollups: Rollups) -> None:
    again = rollups.json("refresh", *OUTREACH)["refreshes"][0]
    assert (again["had_work"], again["partitions"]) == (False, [])
    captured = query(
        rollups.url,
        "select captured_at from ops.watermark where source_table = 'message_events'",
    )
    query(
        rollups.url,
        "insert into dripiq_app.message_events"
        " (id, tenant_id, message_id, type, event_at, created_at)"
        " values ('x', 'acme', 'acme_1', 'weird', now(), now()),"
        " ('y', 'acme', 'acme_1', 'click', now(), now())",
    )
    other = rollups.json("refresh", *OUTREACH, "--tenant", "birch")["refreshes"][0]
    assert other["had_work"] is False

    acme, birch, _ = rollups.json("status")["families"][0]["tenants"]
    assert acme["pending"] == 1
    assert acme["complete_through"] == captured[0][0].isoformat(), "from then on it may lack it"
    assert birch["complete_through"] > acme["complete_through"]

    done = rollups.json("refresh")["refreshes"][0]
    assert {row["tenant_id"] for row in done["partitions"]} == {"acme"}
    acme = rollups.json("status")["families"][0]["tenants"][0]
    assert (acme["pending"], acme["quarantined"]) == (0, {"unknown_type": 1})


def test_status_says_how_far_each_tenant_is(rollups: Rollups) -> None:
    family = rollups.json("status")["families"][0]
    assert [tenant["tenant_id"] for tenant in family["tenants"]] == list(TENANTS)
    for tenant in family["tenants"]:
        assert tenant["pending"] == 0
        assert tenant["staleness_minutes"] < 10
        assert tenant["refresh_status"] == "completed"
    assert family["last_refresh"]["status"] == "completed"


def test_a_tenant_without_rollups_is_told(rollups: Rollups) -> None:
    query(rollups.url, "insert into dripiq_app.tenants (id, name) values ('a|b', 'Bar')")
    problems = [t for t in rollups.json("status")["families"][0]["tenants"] if t["problem"]]
    assert [tenant["tenant_id"] for tenant in problems] == ["a|b"]
    assert "no rollups for a|b: its id has" in rollups("status").stdout
    warned = [check for check in rollups.json("doctor")["checks"] if "'a|b'" in check["finding"]]
    assert [check["level"] for check in warned] == ["WARN"]


def test_verify_names_the_keys_that_differ(rollups: Rollups) -> None:
    assert rollups.json("verify", *OUTREACH)["matches"] is True
    day = query(
        rollups.url,
        "update analytics.metrics_tenant_daily set sends = sends + 1"
        " where (tenant_id, date) in"
        " (select tenant_id, max(date) from analytics.metrics_tenant_daily"
        " where tenant_id = 'cedar' group by 1) returning date",
    )[0][0]
    report = rollups.json("verify", *OUTREACH, code=1)
    assert [(row["tenant_id"], row["date"], row["metric"]) for row in report["differences"]] == [
        ("cedar", day.isoformat(), "sends")
    ]
    assert rollups("verify", *OUTREACH, "--tenant", "acme").returncode == 0
    text = rollups("verify", *OUTREACH)
    assert text.returncode == 1
    assert "cedar" in text.stdout


def test_timezone_set_rebuilds_the_tenant(rollups: Rollups) -> None:
    done = rollups.json("timezone", "set", *OUTREACH, "acme", "Australia/Lord_Howe", "--yes")
    assert done["change"]["before"] == "UTC"
    assert done["change"]["rows"] > 0
    assert {row["tenant_id"] for row in done["refresh"]["partitions"]} == {"acme"}
    zones = {t["tenant_id"]: t["timezone"] for t in rollups.json("timezone", "list")["tenants"]}
    assert zones == {"acme": "Australia/Lord_Howe", "birch": "UTC", "cedar": "UTC"}
    again = rollups.json("timezone", "set", *OUTREACH, "acme", "Australia/Lord_Howe")
    assert again["refresh"] is None


def test_doctor_asks_for_indexes_and_finds_local_time(rollups: Rollups) -> None:
    checks = {check["name"]: check for check in rollups.json("doctor")["checks"]}
    index = checks["index message_events(created_at)"]
    assert index["level"] == "WARN"
    assert "create index concurrently on dripiq_app.message_events (created_at)" in index["remedy"]
    cost = "without it, finding new events reads the whole table at every refresh"
    assert re.match(rf"{cost} \([\d,.]+ [kM]B(, about [\d,]+ rows)?\)", index["finding"])
    query(rollups.url, "create index on dripiq_app.message_events (created_at)")
    query(
        rollups.url,
        "update dripiq_app.message_events set created_at = created_at - interval '5 hours'",
    )
    checks = {check["name"]: check for check in rollups.json("doctor", code=1)["checks"]}
    assert checks["index message_events(created_at)"]["level"] == "OK"
    assert checks["ingest delay"]["level"] == "FAIL"


def test_db_commands_leave_a_server_of_yours_alone(shared_rollups: Rollups) -> None:
    assert shared_rollups.json("db", "start") == {"started": False, "external": True}
    assert shared_rollups.json("db", "stop") == {"stopped": False, "external": True}
    assert shared_rollups.json("db", "url") == {"url": shared_rollups.url}
    lines = shared_rollups("db", "env").stdout.splitlines()
    assert any(line.startswith("export PGDATABASE=") for line in lines)
    asked = shared_rollups("db", "psql", "-At", "-c", "select count(*) from dripiq_app.tenants")
    assert asked.stdout.strip() == str(len(TENANTS)), asked.stderr


def test_dbt_runs_with_the_environment_set(shared_rollups: Rollups) -> None:
    ended = shared_rollups("dbt", "debug", "--no-use-colors")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Connection test: [OK connection ok]" in ended.stdout


def test_sample_data_fills_empty_tables_once(
    new_database: Callable[..., str], outreach_template: str, test_home: Path
) -> None:
    empty = Rollups(test_home, new_database(outreach_template))
    plan = ("--tenants", "2", "--days", "3", "--messages", "60", "--seed", "5")
    asked = empty("demo-data", *plan)
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True), "a database of yours"
    written = empty.json("demo-data", *plan, "--yes")
    assert written["rows"]["outbound_messages"] == 60
    zones = {t["tenant_id"]: t["timezone"] for t in empty.json("timezone", "list")["tenants"]}
    assert zones == written["timezones"]
    again = empty("demo-data", *plan, "--yes")
    assert (again.returncode, "already" in again.stderr) == (2, True)


def test_a_person_who_says_no_is_obeyed(shared_rollups: Rollups) -> None:
    before = fingerprint(shared_rollups.url)
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    ended = subprocess.run(
        shared_rollups.command("backfill", *OUTREACH),
        cwd=PROJECT_ROOT,
        env=shared_rollups.environment(),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "partitions?" in ended.stderr
    assert ended.stderr.splitlines()[-1].endswith("rollups: nothing was done")
    assert ended.returncode == 1
    assert fingerprint(shared_rollups.url) == before


def test_reconcile_finds_deleted_rows_and_repairs_them(rollups: Rollups) -> None:
    sound = rollups.json("reconcile", *OUTREACH)
    assert (sound["matches"], sound["refreshes"]) == (True, [])
    gone = query(
        rollups.url,
        "delete from dripiq_app.message_events where id = 'birch_4_d' returning date(event_at)",
    )[0][0]
    found = rollups.json("reconcile", *OUTREACH, "--no-refresh", code=1)
    drift = [(each["tenant_id"], each["date"], each["part"], each["kind"])
             for each in found["reconciliation"]["drift"]]  # fmt: skip
    assert drift == [("birch", gone.isoformat(), "message_events", "gone")]
    assert rollups.json("reconcile", *OUTREACH, "--tenant", "acme")["matches"] is True
    # It differs as long as nobody has repaired it.
    text = rollups("reconcile", *OUTREACH)
    assert text.returncode == 1
    assert "message_events" in text.stdout
    assert rollups.json("verify", *OUTREACH)["matches"] is True
    assert rollups.json("reconcile", *OUTREACH)["matches"] is True
    reversed_dates = rollups("reconcile", *OUTREACH, "--from", "2026-03-02", "--to", "2026-03-01")
    assert reversed_dates.returncode == 2
    assert "swap them" in reversed_dates.stderr
