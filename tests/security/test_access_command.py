"""`rollups access`: the real command on a real warehouse."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestration.warehouse import roles
from tests.cli.conftest import Rollups
from tests.security.conftest import BOB, MINE, THEIRS, Secured


@pytest.fixture
def command(secured: Secured) -> Rollups:
    return Rollups(secured.settings.home, secured.url)


@pytest.fixture
def carol(secured: Secured) -> Iterator[str]:
    """A login that nobody has granted anything."""
    with secured.admin() as admin:
        admin.execute('create role "Carol of, ""x""" login')
        yield 'Carol of, "x"'
        admin.execute("delete from ops.tenant_access where role_name like 'Carol%'")
        admin.execute('drop role "Carol of, ""x"""')


def sees(secured: Secured, role: str) -> set[str]:
    with secured.admin() as admin, admin.transaction():
        admin.execute("select set_config('role', %s, true)", [role])
        rows = admin.execute("select distinct tenant_id from analytics.metrics_tenant_daily")
        return {row[0] for row in rows}


def test_grant_list_and_revoke(command: Rollups, secured: Secured, carol: str) -> None:
    arguments = ("--family", "outreach", carol)
    granted = command.json("access", "grant", *arguments, "--tenant", MINE, "--tenant", THEIRS)
    assert (granted["new"], granted["tenants"]) == (2, [MINE, THEIRS])
    assert command.json("access", "grant", *arguments, "--tenant", MINE)["new"] == 0
    assert sees(secured, carol) == {MINE, THEIRS}
    with psycopg.connect(secured.url) as connection:
        row = connection.execute(
            "select setconfig from pg_db_role_setting where setrole = quote_ident(%s)::regrole",
            [carol],
        ).fetchone()
        assert row is not None
        assert "statement_timeout=1min" in row[0]

    listed = [one for one in command.json("access", "list")["grants"] if one["role_name"] == carol]
    assert [(one["tenant_id"], one["problem"]) for one in listed] == [(MINE, None), (THEIRS, None)]

    command.json("access", "revoke", *arguments, "--tenant", THEIRS)
    assert sees(secured, carol) == {MINE}
    command.json("access", "grant", *arguments, "--all-tenants")
    assert sees(secured, carol) == {MINE, THEIRS}
    refused = command("access", "revoke", *arguments)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    taken = command.json("access", "revoke", *arguments, "--yes")
    assert taken["tenants"] == [MINE, "all"]
    assert sees(secured, carol) == set()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("grant", "no;body\n", "--tenant", MINE),
            2,
            'create role "no;body " login password',
        ),
        (("grant", "rollups", "--tenant", MINE), 2, "'rollups' is a superuser"),
        (("grant", roles.READER, "--tenant", MINE), 2, "is not held to tenants"),
        (("grant", "{bob}", "--tenant", "nobody"), 2, "unknown outreach tenant 'nobody'"),
        (("grant", "{bob}", "--tenant", MINE, "--all-tenants"), 2, "--all-tenants"),
        (("revoke", "{bob}", "--tenant", "x' or '1'='1"), 2, "was not granted tenant"),
    ],
)
def test_wrong_values_are_named_with_the_fix(
    command: Rollups, secured: Secured, arguments: tuple[str, ...], code: int, said: str
) -> None:
    superuser = str(conninfo_to_dict(secured.url)["user"])
    given = [{"{bob}": secured.name(BOB), "rollups": superuser}.get(one, one) for one in arguments]
    ended = command("access", given[0], "--family", "outreach", *given[1:])
    assert ended.returncode == code
    assert said.replace("'rollups'", f"'{superuser}'") in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_reader_cannot_grant(secured: Secured) -> None:
    command = Rollups(secured.settings.home, secured.logins[roles.WRITER])
    ended = command("access", "grant", "--family", "outreach", secured.name(BOB), "--tenant", MINE)
    assert ended.returncode == 3
    assert "use the role that ran `rollups init`" in ended.stderr
