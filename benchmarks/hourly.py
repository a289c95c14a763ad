"""The hourly refresh against the physical limit and against what people do instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from benchmarks.grains import GRAINS
from benchmarks.world import Cost, World

# All tables that a refresh leaves for people to read, with their keys.
ROLLUPS = {
    "analytics.metrics_contact_hourly": ("tenant_id", "contact_id", "channel", "hour"),
    "analytics.metrics_campaign_daily": ("tenant_id", "campaign_id", "date"),
    "analytics.metrics_tenant_daily": ("tenant_id", "date"),
    "analytics.metrics_message": ("tenant_id", "message_id"),
    "intermediate.outreach_campaign_cohort": ("tenant_id", "campaign_id", "date"),
    "intermediate.outreach_tenant_cohort": ("tenant_id", "date"),
}

# The least that any refresh must do: read what came in, and write what that changes.
SCAN = """
select count(*), sum(length(event.data::text))
from {source}.message_events as event
inner join {source}.outbound_messages as message on event.message_id = message.id
where event.created_at >= %(since)s
"""
COPY = """
create table bench.{copy} (like {table} including indexes);
insert into bench.{copy} select * from {table}
"""
KNOW_CHANGED = """
create table bench.{changed} as select * from {table} where age(xmin) < age(%(before)s::xid)
"""
WRITE_CHANGED = """
insert into bench.{copy} as stored select * from bench.{changed}
on conflict ({key}) do update set {assignments}
"""

ADDITIVE_COPY = """
create table bench.{table} as select {columns}, {metrics} from analytics.{mart};
alter table bench.{table} add primary key ({key});
create index on bench.{table} (tenant_id, date)
"""
ADD = """
insert into bench.{table} as stored
select {columns}, {counts} from bench.activities where came_at >= %(since)s group by {columns}
on conflict ({key}) do update set {additions}
"""
# dbt's stock strategy: whole tenant-days from raw.
STOCK = """
create temporary table rebuilt on commit drop as
select {columns}, {counts}
from bench.activities
where
    (tenant_id, date) in (
        select tenant_id, date from bench.activities where came_at >= %(since)s
    )
group by {columns};
delete from bench.{table} as stored
using (select distinct tenant_id, date from rebuilt) as days
where stored.tenant_id = days.tenant_id and stored.date = days.date;
insert into bench.{table} select * from rebuilt
"""
MATERIALIZED_VIEW = """
create materialized view bench.{table} as
select {columns}, {counts} from bench.activities group by {columns};
create unique index on bench.{table} ({key})
"""
REBUILD = """
create table bench.{table} as
select {columns}, {counts} from bench.activities group by {columns};
alter table bench.{table} add primary key ({key})
"""


@dataclass(frozen=True)
class Hourly:
    """What it costs to take in the same new rows in several ways, and what our models took."""

    costs: dict[str, Cost]
    models: dict[str, float]
    rows_changed: int

    def ratio(self, way: str) -> float:
        """How many times the physical limit a way takes, in active seconds of the server."""
        return self.costs[way].active / self.costs["physical limit"].active


def measure(world: World) -> Hourly:
    """Several deltas of ``options.delta`` events; the quickest round of every way counts."""
    _prepare(world)
    costs: dict[str, Cost] = {}
    models: dict[str, float] = {}
    changed = 0
    for number in range(world.options.rounds):
        ((since, before),) = world.rows(
            "select (clock_timestamp() at time zone 'UTC'),"
            " mod(pg_current_xact_id()::text::bigint, 4294967296)"
        )
        world.add_events()
        values = {"since": since, "before": str(before)}
        seconds: dict[str, float] = {}

        def refresh(seconds: dict[str, float] = seconds) -> None:
            seconds.update({node.name: node.seconds for node in world.refresh().nodes})

        round_costs = {"refresh": world.cost(refresh)}
        round_costs["refresh, nothing to do"] = world.cost(world.refresh)
        changed = _know_changed(world, values)
        round_costs["physical limit"] = world.cost(lambda v=values: _limit(world, v))
        round_costs["additive upserts by hand"] = world.cost(lambda v=values: _add(world, v))
        if number == 0:
            round_costs |= dict(_slow_ways(world, values))
        for way, cost in round_costs.items():
            if way not in costs or cost.active < costs[way].active:
                costs[way] = cost
                models = seconds if way == "refresh" else models
    return Hourly(costs, models, changed)


def _prepare(world: World) -> None:
    for table in ROLLUPS:
        world.script(COPY, names=_tables(table))
    for grain in GRAINS:
        world.script(ADDITIVE_COPY, names=grain.names("added"))
        if world.options.slow_ways:
            world.script(MATERIALIZED_VIEW, names=grain.names("view"))
    world.execute("analyze")


def _know_changed(world: World, values: dict[str, object]) -> int:
    changed = 0
    for table in ROLLUPS:
        world.execute("drop table if exists bench.{changed}", names=_tables(table))
        changed += world.execute(KNOW_CHANGED, values, _tables(table))
    return changed


def _limit(world: World, values: dict[str, object]) -> None:
    world.execute(SCAN, values)
    for table, key in ROLLUPS.items():
        columns = world.rows(
            "select attname from pg_attribute"
            " where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped",
            {"table": table},
        )
        assignments = sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for (name,) in columns
        )
        keys = sql.SQL(", ").join(map(sql.Identifier, key))
        names = _tables(table) | {"assignments": assignments, "key": keys}
        world.execute(WRITE_CHANGED, names=names)


def _add(world: World, values: dict[str, object]) -> None:
    for grain in GRAINS:
        world.execute(ADD, values, grain.names("added"))


def _slow_ways(world: World, values: dict[str, object]) -> Iterator[tuple[str, Cost]]:
    if not world.options.slow_ways:
        return

    def stock() -> None:
        for grain in GRAINS:
            with world.connection.transaction():
                world.script(STOCK, values, grain.names("added"))

    def views() -> None:
        for grain in GRAINS:
            world.execute("refresh materialized view bench.{table}", names=grain.names("view"))

    yield "delete+insert by tenant-day", world.cost(stock)
    yield "refresh materialized views", world.cost(views)
    for grain in GRAINS:
        world.execute("drop materialized view bench.{table}", names=grain.names("view"))
    yield "full rebuild by hand", world.cost(lambda: rebuild(world, "rebuilt"))
    drop_grains(world, "rebuilt")


def rebuild(world: World, name: str) -> None:
    """All grains from raw rows, each as a new table."""
    for grain in GRAINS:
        world.script(REBUILD, names=grain.names(name))


def drop_grains(world: World, name: str) -> None:
    """What ``rebuild`` has made, for large ones need the room."""
    for grain in GRAINS:
        world.execute("drop table bench.{table}", names=grain.names(name))


def _tables(table: str) -> dict[str, sql.Composable]:
    schema, name = table.split(".")
    return {
        "table": sql.Identifier(schema, name),
        "copy": sql.Identifier(f"copy_{name}"),
        "changed": sql.Identifier(f"changed_{name}"),
    }
