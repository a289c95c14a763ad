"""The first load of all history against one CREATE TABLE AS for every table, written by hand."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.hourly import drop_grains, rebuild
from benchmarks.world import Cost, World

# A ledger by hand: what counts, copies found by the provider's id, first of its kind.
BY_HAND = """
create table bench.ledger as
select
    activity.*,
    row_number() over (
        partition by activity.message_id, activity.kind order by activity.hour, activity.came_at
    ) = 1 as is_first
from bench.activities as activity;
create index on bench.ledger (tenant_id, date);
create index on bench.ledger (tenant_id, message_id);

create table bench.messages as
select
    tenant_id,
    message_id,
    min(contact_id) as contact_id,
    min(campaign_id) as campaign_id,
    min(hour) filter (where kind = 'send') as sent_at,
    min(hour) filter (where kind = 'delivered') as first_delivered_at,
    min(hour) filter (where kind = 'open') as first_open_at,
    min(hour) filter (where kind = 'click') as first_click_at,
    count(*) filter (where kind = 'open') as opens,
    count(*) filter (where kind = 'click') as clicks
from bench.ledger
group by tenant_id, message_id;
alter table bench.messages add primary key (tenant_id, message_id)
"""
DROP = """
drop table bench.ledger;
drop table bench.messages
"""


@dataclass(frozen=True)
class FirstLoad:
    """What loading all history took, ours and by hand, and our models' seconds."""

    costs: dict[str, Cost]
    models: dict[str, float]

    @property
    def ratio(self) -> float:
        """Ours to theirs, in active seconds of the server."""
        return self.costs["first refresh"].active / self.costs["by hand"].active


def measure(world: World) -> FirstLoad:
    """Always done, for the other parts stand on it; by hand only where it is asked for."""
    models: dict[str, float] = {}

    def load() -> None:
        models.update({node.name: node.seconds for node in world.refresh().nodes})

    costs = {"first refresh": world.cost(load)}
    if "load" in world.options.only:
        costs["by hand"] = world.cost(lambda: _by_hand(world))
        world.script(DROP)
        drop_grains(world, "by_hand")
    return FirstLoad(costs, models)


def _by_hand(world: World) -> None:
    world.script(BY_HAND)
    rebuild(world, "by_hand")
