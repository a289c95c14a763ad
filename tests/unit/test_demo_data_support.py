"""The sample data of the support family: promised oddities, zones, rhythm, numbers that add up."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import psycopg
import pytest

from orchestration.embedded.demo_data import DemoDataPlan, create_source_tables, generate
from orchestration.embedded.demo_data.support.accounts import (
    ZONES,
    plan_accounts,
)
from orchestration.embedded.demo_data.support.vocabulary import EVENT_NAMES
from tests.sample_data import END, SMALL, found, inside

SCHEMA = "helpdesk"
PLAN = DemoDataPlan(tenants=8, end=END)

ACTIVE_BOT = (
    "(select inbox_id from agent_bot_inboxes where status = 0 union "
    "select inbox_id from integrations_hooks where app_id = 'dialogflow' and status = 1)"
)


def happened(name: str) -> str:
    return f"(select * from reporting_events where name = '{name}')"


RESOLVED, BOT_RESOLVED = happened("conversation_resolved"), happened("conversation_bot_resolved")
HANDOFF = happened("conversation_bot_handoff")
WRITTEN = "(select distinct conversation_id from messages where sender_type = 'User')"
SAME = "a.name = b.name and a.event_end_time = b.event_end_time"

# Each must find at least one row in a plan of eight accounts.
TRAITS = {
    **{f"event {name}": happened(name) + " as e" for name in EVENT_NAMES},
    **{f"status {n}": f"conversations where status = {n}" for n in range(4)},
    "no zone": "accounts where not settings ? 'reporting_timezone'",
    "wrong zone": "accounts where settings ->> 'reporting_timezone' = 'Foo5'",
    "friendly zone": "accounts where settings ->> 'reporting_timezone' = 'Chennai'",
    "active bot": f"{ACTIVE_BOT} as i",
    "bot switched off": "agent_bot_inboxes where status = 1",
    "hook switched off": "integrations_hooks where status = 0",
    "no bot at all": "inboxes where id not in (select inbox_id from agent_bot_inboxes "
    "union select inbox_id from integrations_hooks)",
    "bot events of an inbox without a bot now": f"{BOT_RESOLVED} as e "
    f"where inbox_id not in {ACTIVE_BOT}",
    "agent in two accounts": "account_users a join account_users b using (user_id) "
    "where a.account_id < b.account_id",
    "agent who left": "reporting_events e where user_id is not null and not exists "
    "(select from account_users u where (u.account_id, u.user_id) = (e.account_id, e.user_id))",
    "still with the bot": f"conversations where status = 2 and inbox_id in {ACTIVE_BOT}",
    "resolved by the bot alone": f"{BOT_RESOLVED} as b where conversation_id not in "
    f"(select conversation_id from {HANDOFF} as h where conversation_id is not null)",
    "handed off, resolved by an agent": f"{HANDOFF} as h join {RESOLVED} as r "
    f"using (conversation_id) join {WRITTEN} as w using (conversation_id) "
    "where r.created_at > h.created_at",
    "handed off, then resolved in silence": f"{HANDOFF} as h join {BOT_RESOLVED} as b "
    "using (conversation_id) where b.created_at > h.created_at",
    "several resolutions": f"(select from {RESOLVED} as r group by conversation_id "
    "having count(distinct event_end_time) > 1) as r",
    "handed off in a later cycle": f"{HANDOFF} as h join {BOT_RESOLVED} as b "
    "using (conversation_id) where b.event_end_time < h.event_end_time",
    "reopened": f"{happened('conversation_opened')} as o where value > 0",
    "opened for the first time": f"{happened('conversation_opened')} as o where value = 0",
    "bot event of an assignee": f"{BOT_RESOLVED} as b where user_id is not null",
    "first reply of another agent": f"{happened('first_response')} as e join conversations c "
    "on c.id = e.conversation_id where e.user_id <> c.assignee_id",
    "no user": f"{happened('reply_time')} as e where user_id is null",
    "no inbox": "reporting_events where inbox_id is null",
    "no conversation": "reporting_events where conversation_id is null",
    "handoff without a conversation": f"{HANDOFF} as h where conversation_id is null",
    "stored twice": "reporting_events a join reporting_events b using (conversation_id) "
    f"where {SAME} and a.id < b.id",
    "bot resolution stored twice": "reporting_events a join reporting_events b "
    f"using (conversation_id) where {SAME} and a.id < b.id "
    "and a.name = 'conversation_bot_resolved'",
    "no value": "reporting_events where value is null",
    "older than business hours": "reporting_events where value > 0 "
    "and value_in_business_hours is null and name <> all (array["
    "'conversation_captain_inference_resolved', 'conversation_captain_inference_handoff'])",
    "business hours": "reporting_events where value_in_business_hours between 1 and value - 1",
    "none of it in business hours": "reporting_events join inboxes i on i.id = inbox_id "
    "where working_hours_enabled and value > 600 and value_in_business_hours = 0",
    "inbox without business hours": "reporting_events join inboxes i on i.id = inbox_id "
    "where not working_hours_enabled and value > 36000 and value_in_business_hours = 0",
    "late": "reporting_events where created_at > event_end_time + interval '1 hour'",
    "deleted conversation": "reporting_events e where conversation_id is not null "
    "and not exists (select from conversations c where c.id = e.conversation_id)",
    "incoming": "messages where message_type = 0 and sender_type = 'Contact'",
    "outgoing": "messages where message_type = 1 and not private and sender_type = 'User'",
    "private": "messages where message_type = 1 and private and sender_type = 'User'",
    "activity": "messages where message_type = 2 and sender_type is null",
    "template": "messages where message_type = 3 and sender_type is null",
    "bot message": "messages where message_type = 1 and sender_type = 'AgentBot'",
    "message of an assistant": "messages where sender_type = 'Captain::Assistant'",
    "message of a campaign": "messages where message_type = 1 and sender_type is null",
    "delivered later": "messages where updated_at > created_at",
    "nobody assigned": "conversations where assignee_id is null",
    "in a team": "conversations c join teams t on t.id = c.team_id and t.account_id = c.account_id",
    "in no team": "conversations where team_id is null",
    "changed after the last message": "conversations where updated_at > last_activity_at",
    "waiting for an answer": "conversations where waiting_since is not null and status < 2",
    "one label": "conversations where cached_label_list = 'billing'",
    "two labels": "(select from taggings group by taggable_id having count(*) = 2) as t",
    "tag of a deleted label": "taggings t join tags on tags.id = t.tag_id "
    "where name not in (select title from labels)",
    "contact who comes again": "(select from conversations group by contact_id "
    "having count(*) > 1) as c",
}

# None may find a row.
IMPOSSIBLE = {
    "event before its time": "reporting_events where created_at < event_end_time "
    "or event_end_time < event_start_time",
    "value of something else": "reporting_events where value <> extract(epoch from "
    "date_trunc('second', event_end_time) - date_trunc('second', event_start_time))",
    "more business hours than hours": "reporting_events where value_in_business_hours > value + 1",
    "negative": "reporting_events where least(value, value_in_business_hours) < 0",
    "two handoffs": f"(select from {HANDOFF} as h group by conversation_id "
    "having conversation_id is not null and count(distinct event_end_time) > 1) as h",
    "bot resolution without a resolution": f"{BOT_RESOLVED} as b where b.conversation_id "
    f"is not null and not exists (select from {RESOLVED} as r "
    "where r.event_end_time = b.event_end_time) and b.created_at < (select max(created_at) "
    "- interval '1 day' from reporting_events)",
    "bot copy stored after the resolution": f"{BOT_RESOLVED} as b join {RESOLVED} as r "
    "using (conversation_id, event_end_time, created_at) where b.id > r.id",
    "bot resolution after an agent wrote": f"{BOT_RESOLVED} as b join messages m "
    "using (conversation_id) where sender_type = 'User' and m.created_at < b.event_end_time",
    "message of a deleted conversation": "messages m where not exists "
    "(select from conversations c where c.id = m.conversation_id)",
    "tagging of a deleted conversation": "taggings t where not exists "
    "(select from conversations c where c.id = t.taggable_id)",
    "changed before the last message": "conversations where updated_at < last_activity_at "
    "or last_activity_at < created_at",
    "message before its conversation": "messages m join conversations c "
    "on c.id = m.conversation_id where m.created_at < c.created_at",
    "of another account": "conversations c join inboxes i on i.id = c.inbox_id "
    "where i.account_id <> c.account_id",
    "labels that are not the taggings": "conversations c where coalesce(cached_label_list, '') "
    "<> coalesce((select string_agg(name, ', ' order by t.id) from taggings t "
    "join tags on tags.id = t.tag_id where t.taggable_id = c.id), '')",
    "tags miscounted": "tags where taggings_count <> "
    "(select count(*) from taggings where tag_id = tags.id)",
    "wrong last message": "conversations c where last_activity_at <> "
    "(select max(created_at) from messages m where m.conversation_id = c.id)",
    "wrong first reply": "conversations c where first_reply_created_at <> (select "
    "min(created_at) from messages m where m.conversation_id = c.id and sender_type = 'User' "
    "and not private)",
}


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    with inside(database_url, SCHEMA) as connection:
        create_source_tables(connection, SCHEMA, "support")
        yield connection


def test_eight_accounts_show_every_oddity(database: psycopg.Connection) -> None:
    summary = generate(database, SCHEMA, PLAN, family="support")
    assert [name for name, what in TRAITS.items() if not found(database, what)] == []
    assert [name for name, what in IMPOSSIBLE.items() if found(database, what)] == []
    assert summary.rows == {table: found(database, table) for table in summary.rows}
    assert summary.rows["conversations"] == pytest.approx(2_000, rel=0.05)
    settings = dict(
        database.execute("select id::text, settings ->> 'reporting_timezone' from accounts")
    )
    assert settings == summary.tenant_timezones
    zones = {*settings.values()}
    assert zones == {zone for zone, _ in ZONES}
    for bot_events in (BOT_RESOLVED, HANDOFF):
        with_user = found(database, f"{bot_events} as e where user_id is not null")
        assert with_user / found(database, f"{bot_events} as e") < 0.4


def test_the_application_can_go_on_from_there(database: psycopg.Connection) -> None:
    """The next ids follow the written ones."""
    generate(database, SCHEMA, SMALL, family="support")
    before = found(database, "conversations"), found(database, "reporting_events")
    database.execute(
        "insert into conversations (account_id, inbox_id, display_id, created_at, updated_at) "
        "values (1, 1, 100000, now(), now())"
    )
    database.execute(
        "insert into reporting_events (name, value, account_id, created_at, updated_at) "
        "values ('reply_time', 1, 1, now(), now())"
    )
    after = found(database, "conversations"), found(database, "reporting_events")
    assert after == (before[0] + 1, before[1] + 1)


def test_customers_write_in_local_office_hours(database: psycopg.Connection) -> None:
    generate(database, SCHEMA, DemoDataPlan(days=28, end=END), family="support")
    for account in plan_accounts(DemoDataPlan(days=28, end=END)).accounts:
        row = database.execute(
            "select avg((extract(hour from at) between 7 and 18)::int)::float, "
            "avg((extract(isodow from at) > 5)::int)::float from conversations, "
            "lateral (select created_at at time zone 'UTC' at time zone %s as at) as local "
            "where account_id = %s",
            [account.home, account.id],
        ).fetchone()
        assert row is not None
        assert row[0] > 0.75, account
        assert row[1] < 0.15, account


@pytest.mark.parametrize("tenants", [1, 2, 3, 8, 60])
def test_accounts_differ_in_size_and_zone(tenants: int) -> None:
    plan = DemoDataPlan(tenants=tenants, messages=50_000, days=40, end=END)
    accounts = plan_accounts(plan).accounts
    sizes = [account.conversations for account in accounts]
    assert sum(sizes) == plan.conversations == 5_000
    assert sizes == sorted(sizes, reverse=True)
    assert tenants < 3 or 0.4 < sizes[0] / 5_000 < 0.6
    assert [account.id for account in accounts] == [*range(1, tenants + 1)]
    assert len({account.name for account in accounts}) == tenants
    zones = [account.zone for account in accounts]
    assert zones[: len(ZONES)] == [zone for zone, _ in ZONES][:tenants]
    assert zones.count(None) == (tenants > 3)
    assert zones.count("Foo5") == (tenants > 4)
    assert all(ZoneInfo(account.home) for account in accounts)


def test_chunks_continue_each_other(database: psycopg.Connection) -> None:
    generate(database, SCHEMA, DemoDataPlan(messages=110_000, end=END), family="support")
    assert [name for name, what in IMPOSSIBLE.items() if found(database, what)] == []
    for table in ("messages", "reporting_events", "taggings"):
        numbered = f"(select max(id) as n from {table}) as t, generate_series(1, n)"
        assert found(database, table) == found(database, numbered)
