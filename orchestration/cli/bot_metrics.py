"""``rollups bot-metrics``: what a handoff does to the numbers, and what rollups make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import Json, Output, count
from orchestration.cli.report import Dimension, resolved
from orchestration.cli.session import deployed_database, require_family

if TYPE_CHECKING:
    from orchestration.reports.asking import Cursor
    from orchestration.warehouse.tenants import Tenant

group = typer.Typer(help="Bot metrics: look for what is wrong.")

FAMILY = "support"
DAYS = 30
DIFFERS = 1
SHOWN = 50

Accounts = Annotated[
    list[str] | None,
    typer.Option("--account", "--tenant", help="Only this account; may be given again."),
]
From = Annotated[
    str | None,
    typer.Option("--from", help=f"First local date, or an instant; default: {DAYS} days ago."),
]
To = Annotated[
    str | None,
    typer.Option("--to", help="Last local date, or the instant it ends before; default: now."),
]
Metric = Annotated[
    str | None, typer.Option("--metric", help="Compare this metric, raw against rollup, instead.")
]


@group.callback(invoke_without_command=True)
def begin(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@group.command()
def diagnose(
    account: Accounts = None,
    since: From = None,
    until: To = None,
    metric: Metric = None,
    dimension: Dimension = None,
    as_json: Json = False,
) -> None:
    """Rates before and after "a handoff wins", and the conversations that make the difference.

    With --metric: the days and members for which raw and rollup differ; exit code 1 if there are.
    Nothing is changed.
    """
    from orchestration.reports.asking import cursor_of

    output = Output(as_json)
    found = []
    with deployed_database(output) as (settings, _, connection):
        require_family(settings, FAMILY)
        for tenant in _chosen(connection, account):
            with cursor_of(connection) as cursor:
                window = _window(cursor, tenant, since, until)
                if metric is None:
                    found.append(_bots(cursor, tenant, window))
                else:
                    found.append(_differences(cursor, tenant, window, metric, dimension))
    if metric is None:
        output.result({"accounts": found}, lambda: _say_bots(output, found))
        return
    output.result(
        {"metric": metric, "accounts": found}, lambda: _say_differences(output, metric, found)
    )
    if any(one["differences"] for one in found):
        raise typer.Exit(DIFFERS)


def _chosen(connection: Any, accounts: list[str] | None) -> list[Tenant]:
    from orchestration.warehouse.tenants import known_tenants, require_tenant

    if accounts:
        return [require_tenant(connection, FAMILY, one) for one in dict.fromkeys(accounts)]
    return known_tenants(connection, FAMILY)


def _window(
    cursor: Cursor, tenant: Tenant, since: str | None, until: str | None
) -> dict[str, datetime]:
    """Dates are the account's own; without any, the last days up to now."""
    zone = tenant.timezone or "UTC"
    now = datetime.now(UTC)
    end = now if until is None else resolved(cursor, "--to", until, zone)
    start = end - timedelta(days=DAYS) if since is None else resolved(cursor, "--from", since, zone)
    return {"since": start, "until": end}


def _head(tenant: Tenant, window: dict[str, datetime]) -> dict[str, Any]:
    return {"account": tenant.tenant_id, "name": tenant.name} | window


def _bots(cursor: Cursor, tenant: Tenant, window: dict[str, datetime]) -> dict[str, Any]:
    from orchestration.reports.asking import ask

    row = ask(cursor, "diagnose_bots", tenant.tenant_id, **window).records()[0]
    rates = {
        when: None
        if row["before_sum"] is None
        else {
            "resolution_rate": row[f"{when}_resolution_rate"],
            "handoff_rate": row[f"{when}_handoff_rate"],
            "sum": row[f"{when}_sum"],
        }
        for when in ("before", "after")
    }
    counts = ("bot_conversations", "handoff_conversations", "resolved_conversations")
    return (
        _head(tenant, window)
        | {name: row[name] for name in counts}
        | {"both_conversations": row["both_conversations"], **rates, "samples": row["samples"]}
    )


def _differences(
    cursor: Cursor,
    tenant: Tenant,
    window: dict[str, datetime],
    metric: str,
    dimension: str | None,
) -> dict[str, Any]:
    from orchestration.reports.asking import ask

    head = _head(tenant, window) | {"problem": tenant.problem}
    if tenant.problem is not None:
        # Nothing to compare with; the name of the metric is still checked.
        ask(cursor, "source_of", tenant.tenant_id, metric=metric, dimension=dimension)
        return head | {"differences": []}
    answer = ask(cursor, "diagnose", tenant.tenant_id, metric=metric, dimension=dimension, **window)
    return head | {"differences": answer.records()}


def _say_bots(output: Output, found: list[dict[str, Any]]) -> None:
    output.table(
        ["account", "name", ">bot conversations", ">resolved", ">handed off", ">both",
         ">before", ">after"],
        [
            [
                one["account"],
                one["name"],
                one["bot_conversations"],
                one["resolved_conversations"],
                one["handoff_conversations"],
                one["both_conversations"],
                _rates(one["before"]),
                _rates(one["after"]),
            ]
            for one in found
        ],
        title="resolution % + handoff % = sum, before and after a handoff wins",
    )  # fmt: skip
    samples = [
        [
            one["account"],
            str(sample["conversation_id"]),
            sample["inbox_name"],
            sample["status"],
            sample["resolved_at"],
            sample["handoff_at"],
        ]
        for one in found
        for sample in one["samples"]
    ]
    if samples:
        output.table(
            ["account", "conversation", "inbox", "status", "bot resolved", "handed off"],
            samples,
            title="conversations with both, at most five an account",
        )
    without = [one["account"] for one in found if one["before"] is None]
    if without:
        shown = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        output.line(f"no conversation in a bot's inbox: {shown}")


def _rates(rates: dict[str, int] | None) -> str:
    if rates is None:
        return "-"
    return f"{rates['resolution_rate']} + {rates['handoff_rate']} = {rates['sum']}"


def _say_differences(output: Output, metric: str, found: list[dict[str, Any]]) -> None:
    rows = [
        [
            one["account"],
            difference["date"].isoformat(),
            difference["dimension"],
            difference["id"],
            difference["raw"],
            difference["rollup"],
        ]
        for one in found
        for difference in one["differences"]
    ]
    for one in found:
        if one["problem"] is not None:
            output.line(f"no rollups for {one['account']}: {one['problem']}")
    compared = count(sum(one["problem"] is None for one in found), "account")
    if not rows:
        output.line(f"{metric}: raw and rollup are the same in {compared}")
        return
    output.table(
        ["account", "date", "dimension", "id", ">raw", ">rollup"],
        rows[:SHOWN],
        title=f"{metric}: {count(len(rows), 'key')} differ, the first {min(len(rows), SHOWN)}",
    )
