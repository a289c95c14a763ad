"""Whatever comes in, in whatever mixture: every row is accounted for, and the sums are right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.quarantine import outreach_rows, support_rows
from tests.quarantine.rows import AT, UNKNOWN, drop_foreign_keys
from tests.quarantine.story import Sight, look
from tests.support.warehouse import SCHEMA as SUPPORT_SCHEMA
from tests.support.warehouse import SupportWarehouse

pytestmark = pytest.mark.slow

bounded = settings(
    max_examples=2,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def assert_accounted_for(sight: Sight) -> None:
    assert [line for line in sight.intake if line.unaccounted != 0] == []
    rows_in = dict.fromkeys(sight.source_rows, 0)
    for line in sight.intake:
        rows_in[line.table] += line.rows_in
    assert rows_in == sight.source_rows
    assert sight.differences == []
    assert sight.verified == []


def random_times(random: Random, number: int) -> tuple[Any, Any]:
    """When a row happened and when it came in, one after the other; either may be impossible."""
    came_in: Any = AT + timedelta(minutes=number)
    happened: Any = came_in + timedelta(minutes=random.choice([0, -5, -600, -5000, 1500]))
    if random.random() < 0.15:
        happened = random.choice(["infinity", "-infinity", "99999-01-01", "1999-12-31"])
    if random.random() < 0.15:
        came_in = random.choice(["infinity", "-infinity", "200000-01-01", "0001-01-01"])
    return happened, came_in


def outreach_row(warehouse: OutreachWarehouse, random: Random, number: int) -> None:
    tenant = random.choice(["acme", "bolt"])
    table = random.choice(outreach_rows.TABLES)
    happened, came_in = random_times(random, number)
    changes: dict[str, Any] = {
        "id": f"{table}_{number}",
        outreach_rows.HAPPENED[table]: happened,
        outreach_rows.CAME_IN[table]: came_in,
    }
    if random.random() < 0.15:
        changes["tenant_id"] = random.choice(["ghost", "a|b", "", "bolt"])
    if table == "message_events":
        changes["type"] = random.choice(["open", "click", "bounce", "spam", "processed", "what"])
        changes["message_id"] = random.choice(
            ["good_acme", "good_bolt", "nowhere", f"outbound_messages_{random.randrange(150)}"]
        )
        changes["sg_event_id"] = random.choice([None, "same", f"sg_{number}"])
    if table == "outbound_messages":
        changes["state"] = random.choice(["sent", "sent", "failed", "queued"])
    if table == "contact_unsubscribes":
        changes["channel_value"] = f"{random.randrange(4)}@x.example {number}"
    outreach_rows.put_row(warehouse, tenant, table, **changes)


def support_row(warehouse: SupportWarehouse, random: Random, number: int) -> None:
    account = random.choice([1, 2])
    table = random.choice(support_rows.TABLES)
    happened, came_in = random_times(random, number)
    changes: dict[str, Any] = {"id": 1000 + number, "created_at": happened, "updated_at": came_in}
    if table == "conversations":
        changes["display_id"] = number + 1000
    else:
        changes["conversation_id"] = random.choice([10, 20, 30])
    if random.random() < 0.1:
        changes["account_id"] = 77
    if table == "reporting_events":
        changes["value"] = random.choice([None, 1.5, float("nan"), float("inf")])
        changes["name"] = random.choice(
            ["reply_time", "conversation_bot_handoff", "conversation_opened"]
        )
    if table == "messages":
        changes["message_type"] = random.choice([0, 1, 2])
    support_rows.put_row(warehouse, account, table, **changes)


@bounded
@given(seed=st.integers(0, 2**32 - 1))
def test_outreach_rows_are_all_accounted_for(
    new_outreach: Callable[[], OutreachWarehouse], seed: int
) -> None:
    random = Random(seed)
    with new_outreach() as warehouse:
        drop_foreign_keys(warehouse.connection, SCHEMA)
        for tenant in ("acme", "bolt"):
            outreach_rows.add_tenant(warehouse, tenant)
        for number in range(150):
            outreach_row(warehouse, random, number)
            if number == 50:
                warehouse.refresh()
        warehouse.refresh()
        sight = look(warehouse, "outreach", SCHEMA, outreach_rows.TABLES)
        assert_accounted_for(sight)
        assert {tenant for tenant, *_ in sight.quarantine} <= {"acme", "bolt", "ghost", UNKNOWN}
        assert not warehouse.refresh().had_work


@bounded
@given(seed=st.integers(0, 2**32 - 1))
def test_support_rows_are_all_accounted_for(
    new_support: Callable[[], SupportWarehouse], seed: int
) -> None:
    random = Random(seed)
    with new_support() as warehouse:
        for account in (1, 2):
            support_rows.add_account(warehouse, account)
        for number in range(150):
            support_row(warehouse, random, number)
            if number == 50:
                warehouse.refresh()
        warehouse.refresh()
        sight = look(warehouse, "support", SUPPORT_SCHEMA, support_rows.TABLES)
        assert_accounted_for(sight)
        assert {tenant for tenant, *_ in sight.quarantine} <= {"1", "2", "77", UNKNOWN}
        assert not warehouse.refresh().had_work
