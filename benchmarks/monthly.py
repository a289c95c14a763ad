"""Ledger and contact-hourly in one table each, as they are, and in one partition a month.

    python -m benchmarks.monthly [--messages N] [--tenants N] [--days N] [--delta N]

What a refresh, a reader and retention do, on copies of the same rows; read the ratios.
"""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql
from rich.console import Console
from rich.table import Table

from benchmarks.world import SQL_FOLDER, Cost, Names, World, new_world, world_options

LAYOUTS = ("plain", "monthly")
FILL = {
    "hourly": "insert into bench.{table} select * from analytics.metrics_contact_hourly",
    "ledger": "insert into bench.{table} select * from intermediate.outreach_activity_ledger",
}
# What an hour brings: rows of messages and contacts of the last days, with their history.
SAMPLE = """
create table bench.messages as
select tenant_id, message_id, contact_id from analytics.metrics_message
where sent_at is not null order by sent_at desc limit %(rows)s;
create table bench.hours as
select hourly.* from analytics.metrics_contact_hourly as hourly
inner join (select distinct tenant_id, contact_id from bench.messages) as recent
using (tenant_id, contact_id)
order by hourly.hour desc limit %(rows)s
"""
WORK = {
    "ledger rows of the messages of an hour": """
        select count(*) from bench.messages
        inner join bench.{ledger} as ledger using (tenant_id, message_id)""",
    "upsert of the hours of their contacts": """
        insert into bench.{hourly} as stored select * from bench.hours
        on conflict (tenant_id, contact_id, channel, hour) do update set opens = excluded.opens""",
    "contacts, 30 days each": """
        select count(*)
        from (select distinct tenant_id, contact_id from bench.messages limit 1000) as asked
        inner join bench.{hourly} as hourly using (tenant_id, contact_id)
        where hourly.hour >= (select max(hour) from bench.hours) - interval '30 days'""",
    "contacts, all their time": """
        select count(*)
        from (select distinct tenant_id, contact_id from bench.messages limit 1000) as asked
        inner join bench.{hourly} as hourly using (tenant_id, contact_id)""",
    "a quarter of the largest tenant by day": """
        select date, sum(opens) from bench.{hourly}
        where
            tenant_id = (
                select tenant_id from analytics.metrics_tenant_daily
                group by tenant_id order by sum(sends) desc limit 1
            )
            and hour >= (select max(hour) from bench.hours) - interval '90 days'
        group by date""",
}
# The first whole month goes.
DROP = {
    "plain": """
        delete from bench.hourly_plain
        where hour < (select min(hour) + interval '1 month' from bench.hourly_plain);
        delete from bench.ledger_plain
        where occurred_at < (select min(hour) from bench.hourly_plain);
        vacuum bench.hourly_plain;
        vacuum bench.ledger_plain""",
    "monthly": "drop table bench.{hourly}; drop table bench.{ledger}",
}
OLDEST = """
select relname from pg_class
where relname like %(name)s and relispartition and relname ~ '[0-9]$' and reltuples > 0
order by relname limit 1
"""


def main() -> None:
    options = world_options("benchmarks.monthly", __doc__, tenants=20, days=730).parse_args()
    console = Console(width=110)
    with new_world(options) as world:
        console.print(f"{options.messages:,} messages, {options.days} days: {world.load()}")
        world.deploy()
        world.refresh()
        world.connection.execute((SQL_FOLDER / "monthly.sql").read_bytes())
        world.script(SAMPLE, {"rows": options.delta})
        console.print(_table(world))


def _table(world: World) -> Table:
    table = Table(title="Seconds", title_justify="left")
    for column in ("what", "one table", "by month", "by month / one table"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, text in FILL.items():
        _add(table, f"first write of the {name} rows", _each(world, text, name, times=1))
    world.execute("vacuum analyze")
    for what, text in WORK.items():
        _add(table, what, _each(world, text, "", times=5))
    _add(table, "retention: the oldest month goes", {name: _drop(world, name) for name in LAYOUTS})
    return table


def _each(world: World, text: str, name: str, times: int) -> dict[str, Cost]:
    def work(layout: str) -> Callable[[], object]:
        return lambda: world.execute(text, names=_names(layout, name))

    costs = {layout: [world.cost(work(layout)) for _ in range(times)] for layout in LAYOUTS}
    return {layout: min(of, key=lambda cost: cost.wall) for layout, of in costs.items()}


def _drop(world: World, layout: str) -> Cost:
    oldest = {
        kind: world.rows(OLDEST, {"name": f"{kind}_%"})[0][0] for kind in ("hourly", "ledger")
    }
    names = {kind: sql.Identifier(table) for kind, table in oldest.items()}
    return world.cost(lambda: world.script(DROP[layout], names=names))


def _names(layout: str, name: str) -> Names:
    tables = {kind: sql.Identifier(f"{kind}_{layout}") for kind in ("hourly", "ledger")}
    return tables | {"table": sql.Identifier(f"{name}_{layout}")}


def _add(table: Table, what: str, costs: dict[str, Cost]) -> None:
    plain, monthly = (costs[layout].wall for layout in LAYOUTS)
    table.add_row(what, f"{plain:.3f}", f"{monthly:.3f}", f"{monthly / plain:.2f}")


if __name__ == "__main__":
    main()
