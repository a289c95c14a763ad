"""``Reports``: one tenant's numbers as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.reports.asking import Answer, Instant, ask, cursor_of, instant, query

if TYPE_CHECKING:
    import pandas as pd

_INSTANTS = ("since", "until", "bucket")


class Reports:
    """The read model of one tenant (account), thin over the functions of schema ``report``.

    ``database``: a URL, a psycopg connection or an SQLAlchemy engine. Every method asks the SQL
    function of its name and returns its rows with nullable types; an empty answer keeps its
    columns.

    Ranges are half-open, ``[since, until)``: instants with a zone, or dates, which mean the start
    of that day in the tenant's zone. What is unknown raises ``InputError``.

    >>> Reports(url, "1").timeseries("resolutions_count", "2025-03-01", "2025-04-01")
    """

    def __init__(self, database: Any, tenant: str | int) -> None:
        self._database = database
        self.tenant = str(tenant)

    def timezone(self, metric: str | None = None) -> str:
        """The zone in which the tenant is reported (UTC when it has none)."""
        with cursor_of(self._database) as cursor:
            return ask(cursor, "timezone_of", self.tenant, metric=metric).value

    def timeseries(
        self,
        metric: str,
        since: Instant,
        until: Instant,
        group_by: str = "day",
        dimension: str | None = None,
        id: str | int | None = None,
        timezone: str | None = None,
        business_hours: bool = False,
        source: str = "auto",
    ) -> pd.DataFrame:
        """Value, count, complete and source of every period, by the period's start in the zone."""
        table = self._frame(
            "timeseries", metric=metric, since=since, until=until, group_by=group_by,
            dimension=dimension, id=id, timezone=timezone, business_hours=business_hours,
            source=source,
        )  # fmt: skip
        return table.set_index("bucket")

    def aggregate(
        self,
        metric: str,
        since: Instant,
        until: Instant,
        dimension: str | None = None,
        id: str | int | None = None,
        business_hours: bool = False,
        source: str = "auto",
    ) -> pd.DataFrame:
        """One row: value, count, complete and source. An average of nothing is missing."""
        return self._frame(
            "aggregate", metric=metric, since=since, until=until, dimension=dimension, id=id,
            business_hours=business_hours, source=source,
        )  # fmt: skip

    def summary(
        self,
        since: Instant,
        until: Instant,
        dimension: str | None = None,
        business_hours: bool = False,
        source: str = "auto",
        id: str | int | None = None,
    ) -> pd.DataFrame:
        """A row per existing member of the dimension and metric, with the period before."""
        return self._frame(
            "summary", since=since, until=until, dimension=dimension,
            business_hours=business_hours, source=source, id=id,
        )  # fmt: skip

    def bot_metrics(self, since: Instant, until: Instant, source: str = "auto") -> pd.DataFrame:
        """One row: conversations of bots' inboxes, and the rates of resolution and handoff."""
        return self._frame("bot_metrics", since=since, until=until, source=source)

    def bot_summary(
        self,
        since: Instant,
        until: Instant,
        dimension: str | None = None,
        id: str | int | None = None,
        source: str = "auto",
    ) -> pd.DataFrame:
        """One row: bot resolutions and handoffs of the range and of the one before."""
        return self._frame(
            "bot_summary", since=since, until=until, dimension=dimension, id=id, source=source
        )

    def label_summary(
        self, since: Instant, until: Instant, business_hours: bool = False
    ) -> pd.DataFrame:
        """A row per label."""
        return self._frame("label_summary", since=since, until=until, business_hours=business_hours)

    def channel_summary(self, since: Instant, until: Instant) -> pd.DataFrame:
        """Conversations by channel and status; at most six months."""
        return self._frame("channel_summary", since=since, until=until)

    def first_response_distribution(self, since: Instant, until: Instant) -> pd.DataFrame:
        """First responses by channel and by how long they took."""
        return self._frame("first_response_distribution", since=since, until=until)

    def inbox_label_matrix(self, since: Instant, until: Instant) -> pd.DataFrame:
        """Conversations by inbox and label."""
        return self._frame("inbox_label_matrix", since=since, until=until)

    def drilldown(
        self,
        metric: str,
        bucket: Instant,
        group_by: str,
        since: Instant,
        until: Instant,
        dimension: str | None = None,
        id: str | int | None = None,
        timezone: str | None = None,
        page: int = 1,
        per_page: int = 25,
    ) -> pd.DataFrame:
        """The rows behind one period of a series."""
        return self._frame(
            "drilldown", metric=metric, bucket=bucket, group_by=group_by, since=since, until=until,
            dimension=dimension, id=id, timezone=timezone, page=page, per_page=per_page,
        )  # fmt: skip

    def diagnose(
        self, metric: str, since: Instant, until: Instant, dimension: str | None = None
    ) -> pd.DataFrame:
        """Days and members for which raw and rollup differ: empty when all is well."""
        return self._frame("diagnose", metric=metric, since=since, until=until, dimension=dimension)

    def diagnose_bots(self, since: Instant, until: Instant) -> pd.DataFrame:
        """One row: conversations with both a bot resolution and a handoff, and their effect."""
        return self._frame("diagnose_bots", since=since, until=until)

    def freshness(self) -> pd.DataFrame:
        """A row per family: through when the rollups are complete, and what is pending."""
        return self._frame("freshness")

    def source_of(
        self,
        metric: str,
        dimension: str | None = None,
        group_by: str | None = None,
        timezone: str | None = None,
    ) -> str:
        """Where source ``auto`` reads whole days: ``raw`` or ``rollup``."""
        with cursor_of(self._database) as cursor:
            return ask(
                cursor, "source_of", self.tenant, metric=metric, dimension=dimension,
                group_by=group_by, timezone=timezone,
            ).value  # fmt: skip

    def _frame(self, function: str, **arguments: Any) -> pd.DataFrame:
        from orchestration.reports.frames import frame

        answer, zone = self._ask(function, arguments)
        return frame(answer, zone)

    def _ask(self, function: str, arguments: dict[str, Any]) -> tuple[Answer, str]:
        if arguments.get("id") is not None:
            arguments["id"] = str(arguments["id"])
        with cursor_of(self._database) as cursor:
            zone = arguments.get("timezone")
            if zone is None and function != "freshness":
                zone = ask(cursor, "timezone_of", self.tenant, metric=arguments.get("metric")).value
            zone = known_zone(cursor, zone or "UTC")
            for name in _INSTANTS:
                if arguments.get(name) is not None:
                    arguments[name] = instant(cursor, name, arguments[name], zone)
            return ask(cursor, function, self.tenant, **arguments), zone


def known_zone(cursor: Any, zone: str) -> str:
    """The canonical name of a zone; ``InputError`` for what is none."""
    return query(cursor, "select report._zone(%s)", [zone]).value
