"""``rollups report``: numbers of one tenant, as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import Json, Output, shown
from orchestration.cli.plotting import (
    TERMINAL,
    Plot,
    Plotting,
    draw_in_terminal,
    panels,
    require_drawable,
    write_picture,
)
from orchestration.cli.session import deployed_database
from orchestration.errors import InputError

if TYPE_CHECKING:
    from orchestration.reports.asking import Answer, Cursor

# A single row of more columns is easier to read downwards.
_MOST_COLUMNS = 8

group = typer.Typer(help="Numbers: series, sums, summaries, bots.")


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    json = "json"
    csv = "csv"


class Source(StrEnum):
    """Where a number is read from."""

    auto = "auto"
    raw = "raw"
    rollup = "rollup"


OneTenant = Annotated[str, typer.Option("--tenant", "--account", help="Tenant (account) id.")]
Metric = Annotated[str, typer.Option("--metric", help="Name of the metric.")]
From = Annotated[
    str, typer.Option("--from", help="First local date, or an instant: 2025-03-01T12:00+00:00.")
]
To = Annotated[str, typer.Option("--to", help="Last local date, or the instant it ends before.")]
By = Annotated[str, typer.Option("--by", help="hour, day, week (from Sunday), month or year.")]
Dimension = Annotated[
    str | None,
    typer.Option(
        "--dimension",
        help="account, agent, inbox, team, label; tenant, campaign, contact (default: all of it).",
    ),
]
Id = Annotated[str | None, typer.Option("--id", help="Which one of the dimension.")]
Timezone = Annotated[
    str | None, typer.Option("--timezone", help="IANA zone of the periods; default: the tenant's.")
]
BusinessHours = Annotated[
    bool, typer.Option("--business-hours", help="Durations in business hours.")
]
ReadFrom = Annotated[Source, typer.Option("--source", help="Where to read from.")]
Shape = Annotated[Format, typer.Option("--format", help="How to print it.")]


@group.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@group.command(cls=Plotting)
def timeseries(
    tenant: OneTenant,
    metric: Metric,
    since: From,
    until: To,
    by: By = "day",
    dimension: Dimension = None,
    id: Id = None,
    timezone: Timezone = None,
    business_hours: BusinessHours = False,
    source: ReadFrom = Source.auto,
    shape: Shape = Format.table,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """A metric by period; periods without anything are there too."""
    _report(
        "timeseries", tenant, shape, as_json, metric=metric, since=since, until=until, group_by=by,
        dimension=dimension, id=id, timezone=timezone, business_hours=business_hours,
        source=source.value, plot=plot,
    )  # fmt: skip


@group.command()
def aggregate(
    tenant: OneTenant,
    metric: Metric,
    since: From,
    until: To,
    dimension: Dimension = None,
    id: Id = None,
    business_hours: BusinessHours = False,
    source: ReadFrom = Source.auto,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """A metric as one number."""
    _report(
        "aggregate", tenant, shape, as_json, metric=metric, since=since, until=until,
        dimension=dimension, id=id, business_hours=business_hours, source=source.value,
    )  # fmt: skip


@group.command(cls=Plotting)
def summary(
    tenant: OneTenant,
    since: From,
    until: To,
    dimension: Dimension = None,
    id: Id = None,
    business_hours: BusinessHours = False,
    source: ReadFrom = Source.auto,
    shape: Shape = Format.table,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Every member of a dimension with its metrics, and the equally long period before."""
    _report(
        "summary", tenant, shape, as_json, since=since, until=until, dimension=dimension, id=id,
        business_hours=business_hours, source=source.value, plot=plot,
    )  # fmt: skip


@group.command()
def bots(
    tenant: OneTenant,
    since: From,
    until: To,
    source: ReadFrom = Source.auto,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """Conversations of bots, and the rates of resolution and handoff."""
    _report("bot_metrics", tenant, shape, as_json, since=since, until=until, source=source.value)


@group.command("bot-summary")
def bot_summary(
    tenant: OneTenant,
    since: From,
    until: To,
    dimension: Dimension = None,
    id: Id = None,
    source: ReadFrom = Source.auto,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """Bot resolutions and handoffs, and the equally long period before."""
    _report(
        "bot_summary", tenant, shape, as_json, since=since, until=until, dimension=dimension, id=id,
        source=source.value,
    )  # fmt: skip


@group.command()
def labels(
    tenant: OneTenant,
    since: From,
    until: To,
    business_hours: BusinessHours = False,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """Every label with its conversations and averages."""
    _report(
        "label_summary", tenant, shape, as_json, since=since, until=until,
        business_hours=business_hours,
    )  # fmt: skip


@group.command()
def channels(
    tenant: OneTenant,
    since: From,
    until: To,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """Conversations by channel and status, of at most six months."""
    _report("channel_summary", tenant, shape, as_json, since=since, until=until)


@group.command("first-responses")
def first_responses(
    tenant: OneTenant,
    since: From,
    until: To,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """First responses by channel and by how long they took."""
    _report("first_response_distribution", tenant, shape, as_json, since=since, until=until)


@group.command()
def matrix(
    tenant: OneTenant,
    since: From,
    until: To,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """Conversations by inbox and label."""
    _report("inbox_label_matrix", tenant, shape, as_json, since=since, until=until)


@group.command()
def drilldown(
    tenant: OneTenant,
    metric: Metric,
    bucket: Annotated[str, typer.Option("--bucket", help="A date or instant in the period.")],
    since: From,
    until: To,
    by: By = "day",
    dimension: Dimension = None,
    id: Id = None,
    timezone: Timezone = None,
    page: Annotated[int, typer.Option("--page", help="Page, from 1.")] = 1,
    per_page: Annotated[int, typer.Option("--per-page", help="Rows a page, at most 100.")] = 25,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """The rows behind one period of a series."""
    _report(
        "drilldown", tenant, shape, as_json, metric=metric, bucket=bucket, since=since, until=until,
        group_by=by, dimension=dimension, id=id, timezone=timezone, page=page, per_page=per_page,
    )  # fmt: skip


@group.command()
def freshness(
    tenant: Annotated[
        str | None, typer.Option("--tenant", "--account", help="Only this tenant (account).")
    ] = None,
    shape: Shape = Format.table,
    as_json: Json = False,
) -> None:
    """Through when rollups are complete, and why a tenant has none."""
    _report("freshness", tenant, shape, as_json)


def _report(
    function: str,
    tenant: str | None,
    shape: Format,
    as_json: bool,
    plot: str | None = None,
    **arguments: Any,
) -> None:
    from orchestration.reports.asking import ask, cursor_of

    shape = Format.json if as_json else shape
    require_drawable(plot, shape is not Format.table)
    output = Output(shape is Format.json)
    with deployed_database(output) as (_, _, connection), cursor_of(connection) as cursor:
        zone = _zone(cursor, function, tenant, arguments)
        _resolve_instants(cursor, arguments, zone)
        answer = ask(cursor, function, tenant, **arguments)
        incomplete = None if answer.complete is not False else _incomplete(cursor, tenant, zone)
    rows = [[_local(value, zone) for value in row] for row in answer.rows]
    if plot is not None:
        title = f"{arguments.get('metric', function)} of {tenant} (times in {zone})"
        _draw(output, answer, rows, title, arguments.get("group_by"), plot)
    if shape is Format.csv:
        _print_csv(answer, rows)
        if incomplete:
            output.note(incomplete)
        return
    question = {name: value for name, value in arguments.items() if value is not None}
    document = {
        "question": {"function": function, "tenant": tenant, "timezone": zone} | question,
        "complete": answer.complete,
        "rows": [dict(zip(answer.columns, row, strict=True)) for row in rows],
    }
    if plot is None or shape is Format.json:
        output.result(document, lambda: _print_table(output, answer, rows, zone))
    if incomplete and shape is not Format.json:
        output.note(incomplete)


def _draw(
    output: Output, answer: Answer, rows: list[list[Any]], title: str, by: str | None, plot: str
) -> None:
    records = [dict(zip(answer.columns, row, strict=True)) for row in rows]
    drawn = panels(title, records, by)
    if plot == TERMINAL:
        output.line(draw_in_terminal(drawn))
        return
    write_picture(drawn, title, plot)
    output.note(f"{plot} written")


def _zone(cursor: Cursor, function: str, tenant: str | None, arguments: dict[str, Any]) -> str:
    """The zone of the answer's days and instants."""
    from orchestration.reports.asking import ask
    from orchestration.reports.reports import known_zone

    if function == "freshness":
        return "UTC"
    if arguments.get("timezone") is not None:
        return known_zone(cursor, arguments["timezone"])
    return ask(cursor, "timezone_of", tenant, metric=arguments.get("metric")).value


def _incomplete(cursor: Cursor, tenant: str | None, zone: str) -> str:
    """Why more may come into an answer, in one line."""
    from orchestration.reports.asking import ask

    known = [row["complete_through"] for row in ask(cursor, "freshness", tenant).records()]
    through = min((at for at in known if at is not None), default=None)
    state = (
        "there are no rollups"
        if through is None
        else (f"rollups are complete through {shown(_local(through, zone))}")
    )
    return f"not complete: days that have not ended or wait for a refresh may still grow ({state})"


def _resolve_instants(cursor: Cursor, arguments: dict[str, Any], zone: str) -> None:
    """Dates become instants; a last date is a whole day."""
    for name, option in (("since", "--from"), ("until", "--to"), ("bucket", "--bucket")):
        if name in arguments:
            arguments[name] = resolved(cursor, option, arguments[name], zone)


def resolved(cursor: Cursor, option: str, text: str, zone: str) -> datetime:
    """The instant that an option means: with ``--to`` the end of a date, else its start."""
    from orchestration.reports.asking import instant, is_date

    if option == "--to" and is_date(text):
        start = instant(cursor, option, text, zone)
        last = date.fromisoformat(text.strip())
        if last == date.max:
            raise InputError(f"{option} {start.date()} is too late")
        return instant(cursor, option, last + timedelta(days=1), zone)
    return instant(cursor, option, text, zone)


def _local(value: Any, zone: str) -> Any:
    from zoneinfo import ZoneInfo

    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone))
    return float(value) if isinstance(value, Decimal) else value


def _print_csv(answer: Answer, rows: list[list[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    for row in rows:
        writer.writerow([cell.isoformat() if isinstance(cell, date) else cell for cell in row])


def _print_table(output: Output, answer: Answer, rows: list[list[Any]], zone: str) -> None:
    numbers = {
        place for row in rows for place, cell in enumerate(row)
        if isinstance(cell, (int, float)) and not isinstance(cell, bool)
    }  # fmt: skip
    if len(rows) == 1 and len(answer.columns) > _MOST_COLUMNS:
        pairs = zip(answer.columns, rows[0], strict=True)
        output.table(["", ">value"], pairs, title=f"times in {zone}")
        return
    output.table(
        [f">{name}" if place in numbers else name for place, name in enumerate(answer.columns)],
        rows,
        title=f"times in {zone}",
    )
