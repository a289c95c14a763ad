"""Bad input is one line that names the value and the fix, the right exit code, nothing written."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.cli.conftest import Rollups, fingerprint, query
from tests.outreach.warehouse import SCHEMA

TODAY = date.today()
YESTERDAY = (TODAY - timedelta(days=1)).isoformat()
BEFORE = (TODAY - timedelta(days=3)).isoformat()
OUTREACH = ("--family", "outreach")


def expect(ended: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The exit code, and one line on stderr with these words."""
    assert ended.returncode == code, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("rollups: ")
    for word in words:
        assert word in lines[0], lines[0]
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["refresh", *OUTREACH, "--tenant", "nobody"], ["'nobody'", "acme"]),
        (["backfill", *OUTREACH, "--tenant", "x'; drop table y;--", "--yes"], ["drop table y"]),
        (["backfill", *OUTREACH, "--from", YESTERDAY, "--to", BEFORE, "--yes"], ["swap", BEFORE]),
        (["backfill", *OUTREACH, "--from", "1999-01-01", "--yes"], ["1999-01-01", "outside"]),
        (["backfill", *OUTREACH, "--to", "2999-01-01", "--yes"], ["2999-01-01", "outside"]),
        (["backfill", *OUTREACH, "--from", "31.12.2025", "--yes"], ["31.12.2025", "YYYY-MM-DD"]),
        (["backfill", "--family", "sales", "--yes"], ["'sales'", "outreach"]),
        (["backfill", *OUTREACH], ["--yes", "terminal"]),
        (["backfill", "--yes"], ["--family", "rollups backfill --help"]),
        (["backfill", *OUTREACH, "--chunk", "3"], ["--chunk", "rollups backfill --help"]),
        (["verify", *OUTREACH, "--tenant", "nobody"], ["'nobody'"]),
        (["quarantine", "--tenant", "nobody"], ["'nobody'", "acme"]),
        (["quarantine", "--family", "sales"], ["'sales'", "outreach"]),
        (["quarantine", "--family", "support"], ["'support'", "ROLLUPS_FAMILIES"]),
        (["quarantine", "--reason", "no_time"], ["--reason", "rollups quarantine --help"]),
        (["timezone", "set", *OUTREACH, "nobody", "UTC"], ["'nobody'"]),
        (["timezone", "set", *OUTREACH, "acme", "america/new_york"], ["America/New_York"]),
        (["timezone", "set", *OUTREACH, "acme", "Europe/Londn"], ["Europe/London"]),
        (["timezone", "set", *OUTREACH, "acme", "UTC+3"], ["UTC+3", "IANA", "offset"]),
        (["timezone", "set", *OUTREACH, "acme", "Asia/Tokyo"], ["--yes", "terminal"]),
        (["demo-data", "--yes"], [SCHEMA, "already"]),
        (["demo-data", "--messages", "0"], ["messages=0"]),
        (["unheard-of"], ["unheard-of", "rollups --help"]),
    ],
    ids=lambda value: "_".join(value)[:60] if value[0].islower() else "",
)
def test_a_wrong_argument_is_refused(
    shared_rollups: Rollups, arguments: list[str], words: list[str]
) -> None:
    before = fingerprint(shared_rollups.url)
    ended = shared_rollups(*arguments)
    # The plan of a backfill is shown before it asks.
    ended.stdout = "" if "terminal" in ended.stderr else ended.stdout
    ended.stderr = ended.stderr.splitlines(keepends=True)[-1]
    expect(ended, 2, *words)
    assert fingerprint(shared_rollups.url) == before


def test_a_wrong_setting_is_named(shared_rollups: Rollups) -> None:
    expect(shared_rollups("status", THREADS="many"), 2, "ROLLUPS_THREADS", "'many'")


def test_a_database_without_rollups_is_said_to_be_one(undeployed: Rollups) -> None:
    expect(undeployed("refresh"), 2, "rollups init")


def test_without_any_database_the_demo_is_suggested(tmp_path) -> None:
    expect(Rollups(tmp_path, "")("status"), 2, "rollups demo", "ROLLUPS_DATABASE_URL")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("drop table {}.message_events", [f"{SCHEMA}.message_events", "missing"]),
        ("alter table {}.outbound_messages drop column sent_at", ["outbound_messages.sent_at"]),
        (
            "alter table {}.tenants alter column name type jsonb using null",
            ["tenants.name", "jsonb"],
        ),
        ("drop schema {} cascade", [SCHEMA, "ROLLUPS_OUTREACH_SCHEMA"]),
    ],
)
def test_an_unfit_source_is_refused_before_anything_is_written(
    undeployed: Rollups, change: str, words: list[str]
) -> None:
    query(undeployed.url, change.format(SCHEMA))
    before = fingerprint(undeployed.url)
    expect(undeployed("init"), 4, *words)
    assert fingerprint(undeployed.url) == before
    schemas = query(undeployed.url, "select nspname from pg_namespace")
    assert not {"ops", "staging", "analytics"} & {name for (name,) in schemas}


def test_a_server_that_is_down_is_one_line(shared_rollups: Rollups) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://me:secret-word@127.0.0.1:{free.getsockname()[1]}/db"
    ended = Rollups(shared_rollups.home, url)("refresh")
    expect(ended, 3, "127.0.0.1", "refused", "ROLLUPS_DATABASE_URL")
    assert "secret-word" not in ended.stderr


def test_a_wrong_password_is_one_line(shared_rollups: Rollups) -> None:
    parts = urlsplit(shared_rollups.url)
    assert parts.username is not None
    url = parts._replace(
        netloc=f"{parts.username}:wrong-word@{parts.hostname}:{parts.port}"
    ).geturl()
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        ended = Rollups(shared_rollups.home, url)("refresh")
        expect(ended, 3, "password", parts.username, "ROLLUPS_DATABASE_URL")
        assert "wrong-word" not in ended.stderr
    else:
        pytest.skip("this server trusts everybody")


def test_a_database_that_does_not_exist_is_one_line(shared_rollups: Rollups) -> None:
    url = shared_rollups.url.rpartition("/")[0] + "/no_such_database"
    expect(Rollups(shared_rollups.home, url)("status"), 3, "no_such_database", "create")


@pytest.fixture
def reader_url(shared_rollups: Rollups, server_url: str) -> Iterator[str]:
    """A role that may read everything in the shared warehouse and write nothing."""
    role = sql.Identifier("rollups_test_reader")
    with psycopg.connect(shared_rollups.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login password 'reading'").format(role))
        for schema in (SCHEMA, "ops", "staging", "intermediate", "analytics"):
            name = sql.Identifier(schema)
            connection.execute(sql.SQL("grant usage on schema {} to {}").format(name, role))
            connection.execute(
                sql.SQL("grant select on all tables in schema {} to {}").format(name, role)
            )
        connection.execute(
            sql.SQL("grant execute on all functions in schema ops to {}").format(role)
        )
        parts = urlsplit(shared_rollups.url)
        yield parts._replace(
            netloc=f"rollups_test_reader:reading@{parts.hostname}:{parts.port}"
        ).geturl()
        connection.execute(sql.SQL("drop owned by {}").format(role))
        connection.execute(sql.SQL("drop role {}").format(role))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["refresh"], 3, ["permission denied", "rollups init"]),
        (["backfill", *OUTREACH, "--yes"], 3, ["permission denied"]),
        (["timezone", "set", *OUTREACH, "acme", "Asia/Tokyo", "--yes"], 3, ["permission denied"]),
        (["init"], 3, ["rollups_test_reader", "grant"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_read_only_role_is_one_line(
    shared_rollups: Rollups, reader_url: str, arguments: list[str], code: int, words: list[str]
) -> None:
    before = fingerprint(shared_rollups.url)
    ended = Rollups(shared_rollups.home, reader_url)(*arguments)
    ended.stdout, ended.stderr = "", ended.stderr.splitlines(keepends=True)[-1]
    expect(ended, code, *words)
    assert fingerprint(shared_rollups.url) == before


def test_a_read_only_role_may_look(shared_rollups: Rollups, reader_url: str) -> None:
    reading = Rollups(shared_rollups.home, reader_url)
    assert reading("status").returncode == 0
    assert reading("timezone", "list").returncode == 0
    checks = reading.json("doctor", code=1)["checks"]
    assert [check["name"] for check in checks if check["level"] == "FAIL"] == ["rights"]


def test_a_traceback_is_shown_when_asked_for(shared_rollups: Rollups) -> None:
    ended = shared_rollups("refresh", "--family", "sales", DEBUG="1")
    assert ended.returncode != 0
    assert "Traceback" in ended.stderr


def test_a_lost_connection_leaves_the_work_pending(rollups: Rollups) -> None:
    """The session that drives a refresh is ended by an administrator, half-way."""
    query(rollups.url, "select ops.set_timezone('outreach', 'acme', 'Asia/Tokyo')")
    with psycopg.connect(rollups.url) as blocking:
        blocking.execute("lock table intermediate.outreach_activity_ledger in exclusive mode")
        process = rollups.start("refresh")
        victim = (
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'rollups refresh' and datname = current_database()"
            " and exists (select from ops.refresh_claim)"
        )
        while not query(rollups.url, victim):
            assert process.poll() is None
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors
    assert errors.splitlines()[-1].startswith("rollups: ")
    assert query(rollups.url, "select tenant_id from ops.pending") == [("acme",)]
