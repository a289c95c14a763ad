"""The three grains of activity rollups, and how somebody would fill them by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

# What eight metrics count, in the rows of bench.activities.
METRICS: dict[str, LiteralString] = {
    "sends": "count(*) filter (where kind = 'send')",
    "delivered": "count(distinct message_id) filter (where kind = 'delivered')",
    "opens": "count(*) filter (where kind = 'open')",
    "clicks": "count(*) filter (where kind = 'click')",
    "bounces": "count(distinct message_id) filter (where kind = 'bounce')",
    "unsubscribes": "count(distinct message_id) filter (where kind = 'unsubscribe')",
    "unique_opens": "count(distinct message_id) filter (where kind = 'open')",
    "unique_clicks": "count(distinct message_id) filter (where kind = 'click')",
}


@dataclass(frozen=True)
class Grain:
    """A rollup by its mart's name, its key, and the columns its rows are grouped by."""

    mart: str
    key: tuple[str, ...]
    columns: tuple[str, ...]

    def names(self, table: str) -> dict[str, sql.Composable]:
        """What stands in the SQL of the rivals; their tables are named ``table`` and the mart."""
        return {
            "table": sql.Identifier(f"{table}_{self.mart}"),
            "mart": sql.Identifier(self.mart),
            "key": sql.SQL(", ").join(map(sql.Identifier, self.key)),
            "columns": sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            "counts": sql.SQL(", ").join(
                sql.SQL(count) + sql.SQL(" as {}").format(sql.Identifier(name))
                for name, count in METRICS.items()
            ),
            "metrics": sql.SQL(", ").join(map(sql.Identifier, METRICS)),
            "additions": sql.SQL(", ").join(
                sql.SQL("{0} = stored.{0} + excluded.{0}").format(sql.Identifier(name))
                for name in METRICS
            ),
        }


GRAINS = (
    Grain(
        "metrics_contact_hourly",
        ("tenant_id", "contact_id", "channel", "hour"),
        ("tenant_id", "contact_id", "channel", "hour", "date"),
    ),
    Grain(
        "metrics_campaign_daily",
        ("tenant_id", "campaign_id", "date"),
        ("tenant_id", "campaign_id", "date"),
    ),
    Grain("metrics_tenant_daily", ("tenant_id", "date"), ("tenant_id", "date")),
)
