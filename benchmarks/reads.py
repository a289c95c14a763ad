"""How long answers take: report functions, slices of marts, and the same asked of raw rows."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

from rich.table import Table

from benchmarks.world import World
from orchestration.warehouse.connection import connect

QUESTIONS = {
    "timeseries, 90 days": """
        select * from report.timeseries(
            %(tenant)s, 'open_rate', current_date - 90, current_date
        )""",
    "timeseries, 365 days": """
        select * from report.timeseries(
            %(tenant)s, 'open_rate', current_date - 365, current_date
        )""",
    "aggregate, 90 days": """
        select * from report.aggregate(
            %(tenant)s, 'open_rate', current_date - 90, current_date
        )""",
    "summary of one campaign, 90 days": """
        select * from report.summary(
            %(tenant)s, current_date - 90, current_date, dimension => 'campaign', id => %(campaign)s
        )""",
    "one contact, 30 days of hours": """
        select * from analytics.metrics_contact_hourly
        where tenant_id = %(tenant)s and contact_id = %(contact)s and date >= current_date - 30""",
    "100 top contacts of a day": """
        select contact_id, sum(opens) from analytics.metrics_contact_hourly
        where tenant_id = %(tenant)s and date = %(date)s
        group by contact_id order by 2 desc, 1 limit 100""",
}
RAW = """
select date, sum(opens), sum(delivered) from (
    select
        date,
        count(distinct message_id) filter (where kind = 'open') as opens,
        count(distinct message_id) filter (where kind = 'delivered') as delivered
    from bench.activities
    where tenant_id = %(tenant)s
    group by date
) as days where date >= current_date - 90 group by date
"""


# The same kept as somebody else would keep it.
VIEW = """
create materialized view bench.read_days as
select
    tenant_id,
    date,
    count(distinct message_id) filter (where kind = 'open') as opens,
    count(distinct message_id) filter (where kind = 'delivered') as delivered
from bench.activities
group by tenant_id, date;
create unique index on bench.read_days (tenant_id, date)
"""
OF_VIEW = """
select date, opens::numeric / nullif(delivered, 0) from bench.read_days
where tenant_id = %(tenant)s and date >= current_date - 90 order by date
"""


def table(world: World) -> Table:
    """Milliseconds of each question for the largest tenant, with 1 and 8 clients."""
    values = _values(world)
    shown = new_table("Reads, ms, the largest tenant")
    add_questions(world, shown, QUESTIONS, values)
    world.script(VIEW)
    add_questions(world, shown, {"open rate, 90 days, materialized view": OF_VIEW}, values)
    world.execute("drop materialized view bench.read_days")
    add_questions(world, shown, {"open rate, 90 days, from raw rows": RAW}, values, times=3)
    return shown


def new_table(title: str) -> Table:
    shown = Table(title=title, title_justify="left")
    for column in ("question", "p50", "p95", "p99", "8 clients: p50", "p95", "p99"):
        shown.add_column(column, justify="left" if column == "question" else "right")
    return shown


def add_questions(
    world: World, shown: Table, questions: dict[str, str], values: dict[str, Any], times: int = 200
) -> None:
    """A row for every question, asked so often by one client, and again by eight together."""
    for name, question in questions.items():
        one = _quantiles(_ask(world, question, values, clients=1, times=times))
        eight = _quantiles(_ask(world, question, values, clients=8, times=max(times // 8, 2)))
        shown.add_row(name, *one, *eight)


def _values(world: World) -> dict[str, Any]:
    ((tenant, contact, campaign, day),) = world.rows(
        "select tenant_id, min(contact_id), min(campaign_id), max(date)"
        " from analytics.metrics_message group by 1 order by count(*) desc limit 1"
    )
    return {"tenant": tenant, "contact": contact, "campaign": campaign, "date": day}


def _ask(
    world: World, question: str, values: dict[str, Any], *, clients: int, times: int
) -> list[float]:
    """Milliseconds of each of ``clients * times`` answers."""
    took: list[float] = []
    failures: list[Exception] = []

    def client() -> None:
        try:
            with connect(world.url, application="benchmark reader") as connection:
                query = world.compose(question)
                connection.execute(query, values).fetchall()
                for _ in range(times):
                    started = time.perf_counter()
                    connection.execute(query, values).fetchall()
                    took.append((time.perf_counter() - started) * 1000)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return took


def _quantiles(took: list[float]) -> tuple[str, str, str]:
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return f"{cuts[49]:.1f}", f"{cuts[94]:.1f}", f"{cuts[98]:.1f}"
