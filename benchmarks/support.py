"""The support family: first load, hourly refresh, and what bots did in any window.

    python -m benchmarks.support [--messages N] [--tenants N] [--days N] [--delta N]

There is a conversation for every ten messages. Everything is in one run; read the ratios.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.reads import add_questions, new_table
from benchmarks.world import Cost, World, new_world, peak_megabytes, world_options

QUESTIONS = {
    f"bot_metrics, {days} days{title}": f"""
        select * from report.bot_metrics(
            %(tenant)s, (current_date - {days})::timestamp at time zone %(zone)s{edge},
            current_date::timestamp at time zone %(zone)s{edge}
        )"""
    for days in (30, 90, 365)
    for title, edge in (("", ""), (", to the minute", " - interval '601 minutes'"))
}
TIMESERIES = """
    select * from report.timeseries(
        %(tenant)s, 'resolutions_count', current_date - 90, current_date
    )"""
# The same of raw rows: a handoff in the window wins, and NULL conversations decide nothing.
RAW = """
with events as (
    select name, conversation_id from {source}.reporting_events
    where
        account_id = %(account)s
        and name in ('conversation_bot_resolved', 'conversation_bot_handoff')
        and created_at >= (current_date - 90)::timestamp at time zone %(zone)s at time zone 'UTC'
        and created_at < current_date::timestamp at time zone %(zone)s at time zone 'UTC'
)

select
    count(distinct conversation_id) filter (where name = 'conversation_bot_handoff') as handoffs,
    (
        select count(distinct resolved.conversation_id) from events as resolved
        where
            resolved.name = 'conversation_bot_resolved'
            and not exists (
                select 1 from events as handoffs
                where
                    handoffs.name = 'conversation_bot_handoff'
                    and handoffs.conversation_id = resolved.conversation_id
            )
    ) as resolutions
from events
"""
LARGEST = """
select tenants.tenant_id, tenants.account_id, tenants.timezone
from {source}.conversations
inner join staging.stg_support__tenants as tenants using (account_id)
group by tenants.tenant_id, tenants.account_id, tenants.timezone
order by count(*) desc
limit 1
"""


def main() -> None:
    options = world_options("benchmarks.support", __doc__, tenants=20, days=90).parse_args()
    console = Console(width=110)
    with new_world(options, "support") as world:
        console.print(f"[bold]{options.messages // 10:,} conversations: {world.load()}")
        world.deploy()
        costs = {"first refresh": world.cost(world.refresh)}
        costs |= _hours(world)
        _print(console, costs)
        console.print(_reads(world))
    console.print(f"Peak memory of this process, dbt in it: {peak_megabytes():,.0f} MB")


def _hours(world: World) -> dict[str, Cost]:
    hours, idle = [], []
    for _ in range(world.options.rounds):
        world.add_events()
        hours.append(world.cost(world.refresh))
        idle.append(world.cost(world.refresh))
    return {
        f"{world.options.delta:,} new events": min(hours, key=lambda cost: cost.active),
        "nothing to do": min(idle, key=lambda cost: cost.active),
    }


def _print(console: Console, costs: dict[str, Cost]) -> None:
    table = Table(title="Refresh", title_justify="left")
    for column in ("what", "wall s", "SQL s"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, cost in costs.items():
        table.add_row(what, f"{cost.wall:.2f}", f"{cost.active:.2f}")
    console.print(table)


def _reads(world: World) -> Table:
    ((tenant, account, zone),) = world.rows(LARGEST)
    values: dict[str, Any] = {"tenant": tenant, "account": account, "zone": zone}
    shown = new_table("Reads, ms, the largest account")
    add_questions(world, shown, QUESTIONS | {"timeseries, 90 days": TIMESERIES}, values)
    add_questions(world, shown, {"bots in 90 days, from raw rows": RAW}, values, times=10)
    return shown


if __name__ == "__main__":
    main()
