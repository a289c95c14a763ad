"""The status as Prometheus metrics. Read from the database alone: a dead Dagster stays visible."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import psycopg
from prometheus_client import CollectorRegistry, Gauge

from orchestration.warehouse.status import FamilyStatus, family_status

REFRESH_STATES = ("completed", "failed", "lost", "running")


class _Gauges:
    """Every metric, with its help and labels, in one registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.collected_at = self._gauge("collected_timestamp_seconds", "When this was written.")
        self.complete_through = self._gauge(
            "complete_through_timestamp_seconds",
            "All that had come in by then is in the rollups; 0: nothing was loaded yet.",
            "family", "tenant",
        )  # fmt: skip
        self.pending = self._gauge(
            "pending_pieces", "Pieces of pending work of a tenant.", "family", "tenant"
        )
        self.pending_since = self._gauge(
            "pending_oldest_seconds", "Age of a tenant's oldest pending work.", "family", "tenant"
        )
        self.without_rollups = self._gauge(
            "tenant_without_rollups", "1: the tenant has no rollups, such as without a time zone.",
            "family", "tenant",
        )  # fmt: skip
        self.set_aside = self._gauge(
            "rows_set_aside", "Source rows in no rollup, by reason.", "family", "tenant", "reason"
        )
        self.rows = self._gauge("model_rows", "Rows of a table of ours.", "family", "model")
        self.seconds = self._gauge(
            "model_refresh_seconds", "Time a table takes in a refresh.",
            "family", "model", "quantile",
        )  # fmt: skip
        self.last_seconds = self._gauge(
            "model_last_refresh_seconds", "Time a table took in its last refresh.",
            "family", "model",
        )  # fmt: skip
        self.refreshes = self._gauge(
            "refreshes", "Refreshes of the last 24 hours by how they ended.", "family", "status"
        )
        self.refreshed_at = self._gauge(
            "last_refresh_timestamp_seconds", "When a refresh last ended so.", "family", "status"
        )
        self.refresh_seconds = self._gauge(
            "last_refresh_seconds", "How long the last completed refresh took.", "family"
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"rollups_{name}", text, labels, registry=self.registry)


def registry(connection: psycopg.Connection, families: Iterable[str]) -> CollectorRegistry:
    """Metrics of the families, as of now; all times are the database's."""
    gauges = _Gauges()
    row = connection.execute("select now()").fetchone()
    if row is not None:
        gauges.collected_at.set(row[0].timestamp())
    for family in families:
        _tell_status(gauges, family_status(connection, family))
        _tell_refreshes(gauges, connection, family)
    return gauges.registry


def _tell_status(gauges: _Gauges, status: FamilyStatus) -> None:
    for tenant in status.tenants:
        labels = (status.family, tenant.tenant_id)
        gauges.without_rollups.labels(*labels).set(tenant.problem is not None)
        if tenant.problem is None:
            gauges.complete_through.labels(*labels).set(_seconds(tenant.complete_through))
        gauges.pending.labels(*labels).set(tenant.pending)
        gauges.pending_since.labels(*labels).set((tenant.pending_minutes or 0) * 60)
        for reason, count in {"duplicate": tenant.duplicates, **tenant.quarantined}.items():
            gauges.set_aside.labels(*labels, reason).set(count)
    for model in status.models:
        gauges.rows.labels(status.family, model.model).set(model.rows)
        if model.last_seconds is not None:
            gauges.last_seconds.labels(status.family, model.model).set(model.last_seconds)
        quantiles = {"0.5": model.p50_seconds, "0.95": model.p95_seconds}
        for quantile, seconds in quantiles.items():
            if seconds is not None:
                gauges.seconds.labels(status.family, model.model, quantile).set(seconds)


def _tell_refreshes(gauges: _Gauges, connection: psycopg.Connection, family: str) -> None:
    counted = connection.execute(
        "select status, count(*) filter (where started_at > now() - interval '1 day'),"
        " max(coalesce(ended_at, started_at)),"
        " (array_agg(seconds order by started_at desc))[1]::float8"
        " from ops.refresh where family = %s and started_at > now() - interval '30 days'"
        " group by status",
        [family],
    ).fetchall()
    by_status = {status: rest for status, *rest in counted}
    for status in REFRESH_STATES:
        count, at, seconds = by_status.get(status, (0, None, None))
        gauges.refreshes.labels(family, status).set(count)
        gauges.refreshed_at.labels(family, status).set(_seconds(at))
        if status == "completed" and seconds is not None:
            gauges.refresh_seconds.labels(family).set(seconds)


def _seconds(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()
