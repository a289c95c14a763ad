"""Looking, and changing nothing: ``status``, ``verify``, ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, Output, count, duration, shown
from orchestration.cli.session import (
    DateFrom,
    DateTo,
    Family,
    OneFamily,
    Tenants,
    chosen_families,
    connect,
    deployed_database,
    load_settings,
    parse_date,
    require_family,
    require_range,
    url_of_existing,
)
from orchestration.errors import InputError

if TYPE_CHECKING:
    from orchestration.warehouse.doctor import Check
    from orchestration.warehouse.status import FamilyStatus, RefreshStatus, TenantStatus
    from orchestration.warehouse.verify import VerifyReport

CHECK_FAILED = 1


def status(family: Family = None, as_json: Json = False) -> None:
    """How far each tenant's rollups are, what is pending, and what was set aside."""
    from orchestration.warehouse.status import family_status

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        families = [family_status(connection, name) for name in chosen_families(settings, family)]
    output.result({"families": families}, lambda: [_say_status(output, one) for one in families])


def metrics(
    path: Annotated[
        Path | None,
        typer.Option("--output", help="File to write, replaced in one step; default: stdout."),
    ] = None,
) -> None:
    """The status as Prometheus metrics, for node_exporter's textfile collector or any scraper."""
    from prometheus_client import generate_latest, write_to_textfile

    from orchestration.warehouse.metrics import registry

    with deployed_database(Output(as_json=True)) as (settings, _, connection):
        collected = registry(connection, settings.families)
    if path is None:
        print(generate_latest(collected).decode(), end="")
        return
    try:
        write_to_textfile(str(path), collected)
    except OSError as error:
        raise InputError(
            f"--output {path}: {error.strerror}: name a file in a folder that can be written"
        ) from None


def verify(
    family: OneFamily,
    date_from: DateFrom = None,
    date_to: DateTo = None,
    tenant: Tenants = None,
    as_json: Json = False,
) -> None:
    """Recount the rollups from the source tables and compare; exit code 1 if a key differs."""
    from orchestration.warehouse.source_contract import source_schema
    from orchestration.warehouse.status import pending_pieces
    from orchestration.warehouse.tenants import require_tenants
    from orchestration.warehouse.verify import verify as recount

    first, last = parse_date("--from", date_from), parse_date("--to", date_to)
    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        require_family(settings, family)
        tenants = require_tenants(connection, family, tenant or [])
        if first is not None or last is not None:
            require_range(connection, settings, family, tenants, first, last)
        with output.step(f"recounting {family}"):
            report = recount(
                connection,
                family,
                source_schema=source_schema(settings, family),
                date_from=first,
                date_to=last,
                tenants=tenant or [],
            )
        pending = pending_pieces(connection, family)
    document = {
        "family": family,
        "matches": report.matches,
        "pending": pending,
        "kept_rows": report.kept_rows,
        "models": report.models,
        "differences": report.differences,
    }
    output.result(document, lambda: _say_report(output, report, pending))
    if not report.matches:
        raise typer.Exit(CHECK_FAILED)


def doctor(as_json: Json = False) -> None:
    """Check source, indexes, rights, versions and clocks, and say what to do."""
    from orchestration.cli.setup import models_are_current
    from orchestration.warehouse.doctor import examine

    output = Output(as_json)
    settings = load_settings()
    url = url_of_existing(settings, output)
    with connect(url) as connection:
        current = models_are_current(connection, settings)
        checks = examine(connection, url, settings, models_are_current=current)
    failed = any(check.level == "FAIL" for check in checks)
    output.result({"healthy": not failed, "checks": checks}, lambda: _say_checks(output, checks))
    if failed:
        raise typer.Exit(CHECK_FAILED)


def _say_status(output: Output, status: FamilyStatus) -> None:
    output.table(
        ["tenant", "zone", "complete through", ">stale", ">pending", "last refresh",
         ">duplicates", "quarantined"],
        [
            [
                tenant.tenant_id,
                tenant.timezone or "-",
                tenant.complete_through if tenant.problem is None else "no rollups",
                duration(_seconds(tenant.staleness_minutes)),
                _pending(tenant),
                _last_refresh(tenant),
                tenant.duplicates,
                ", ".join(f"{reason} {rows:,}" for reason, rows in tenant.quarantined.items()),
            ]
            for tenant in status.tenants
        ],
        title=f"{status.family}: {count(len(status.tenants), 'tenant')}, times in UTC",
    )  # fmt: skip
    if status.models:
        output.table(
            ["table", ">rows", ">last", ">half within", ">95 % within"],
            [
                [one.model, one.rows, *map(_seconds_of, (one.last_seconds, one.p50_seconds,
                 one.p95_seconds))]
                for one in status.models
            ],
            title=f"{status.family}: how long a refresh of each table takes",
        )  # fmt: skip
    for tenant in status.without_rollups:
        output.line(f"no rollups for {tenant.tenant_id}: {tenant.problem}")
    for alert in status.alerts:
        output.line(f"ALERT {alert.kind}: {alert.detail}")
    if status.without_tenant:
        reasons = ", ".join(f"{name} {rows:,}" for name, rows in status.without_tenant.items())
        output.line(f"rows of no tenant: {reasons} (rollups quarantine --family {status.family})")
    for refresh in status.running:
        output.line(f"running: {_described(refresh)}")
    last = status.last_refresh
    output.line(f"last refresh: {_described(last)}" if last else "no refresh yet: rollups refresh")
    failure = status.last_failure
    if failure is not None and failure != last:
        output.line(f"last failure: {_described(failure)}")


def _seconds_of(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"


def _pending(tenant: TenantStatus) -> str:
    age = "" if tenant.pending_minutes is None else f" ({duration(tenant.pending_minutes * 60)})"
    return f"{tenant.pending:,}{age}"


def _last_refresh(tenant: TenantStatus) -> str:
    if tenant.refreshed_at is None or tenant.problem is not None:
        return "-"
    took = duration(tenant.refresh_seconds)
    return f"{shown(tenant.refreshed_at)} {tenant.refresh_status}, {took}"


def _described(refresh: RefreshStatus) -> str:
    text = f"{refresh.trigger}, {shown(refresh.started_at)} UTC, {refresh.status}"
    if refresh.seconds is not None:
        text += f" after {refresh.seconds:.1f} s"
    if refresh.partitions is not None:
        text += f", {refresh.partitions:,} partitions"
    return f"{text}: {refresh.error}" if refresh.error else text


def _say_report(output: Output, report: VerifyReport, pending: int) -> None:
    output.table(
        ["table", ">rows expected", ">rows found", ">keys that differ"],
        [
            [one.model, one.rows_expected, one.rows_actual, one.differing_keys]
            for one in report.models
        ],
    )
    if report.kept_rows:
        output.line(
            f"{report.kept_rows:,} rows are kept although their source is gone (delete policy):"
            " these nobody can recount"
        )
    if report.matches:
        output.line("everything matches the source")
        return
    output.table(
        ["table", "tenant", "date", "key", "value", "expected", "found"],
        [
            [
                one.model,
                one.tenant_id,
                one.date,
                _key(one.key),
                one.metric,
                one.expected,
                one.actual,
            ]
            for one in report.differences
        ],
        title=f"the first {len(report.differences)} differences",
    )
    if pending:
        output.line(f"{pending:,} pieces of work are pending: `rollups refresh`, then verify again")


def _key(key: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items())


def _say_checks(output: Output, checks: list[Check]) -> None:
    output.table(
        ["", "check", "finding"],
        [[check.level, check.name, _finding(check)] for check in checks],
    )


def _finding(check: Check) -> str:
    return check.finding if check.remedy is None else f"{check.finding}\n-> {check.remedy}"


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60
