"""The sample data of the outreach family: promised oddities, sizes and zones of the tenants."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from orchestration.embedded.demo_data import DemoDataPlan, create_source_tables, generate
from orchestration.embedded.demo_data.outreach.generator import Generator
from orchestration.embedded.demo_data.outreach.tenants import ZONES
from tests.sample_data import END, SMALL, found, inside

SCHEMA = "dripiq_app"

FIRST_DELIVERED = (
    "(select message_id, min(event_at) as delivered_at from message_events "
    "where type = 'delivered' group by message_id)"
)
WITH_EVENTS = "(select distinct message_id from message_events)"

# Each must find at least one row in the default plan.
TRAITS = {
    "delivered, same id, later": "message_events a join message_events b using (sg_event_id) "
    "where a.id <> b.id and a.sg_event_id <> '' and b.created_at > a.created_at",
    "delivered, same id, same batch": "message_events a join message_events b "
    "using (sg_event_id) where a.id < b.id and a.sg_event_id <> '' "
    "and b.created_at = a.created_at",
    "copy with another id": "message_events a join message_events b "
    "using (message_id, type, event_at) where a.type = 'delivered' "
    "and a.sg_event_id <> b.sg_event_id and a.sg_event_id !~ '^generated_'",
    "copy with another generated id": "message_events a join message_events b "
    "using (message_id, type, event_at) where a.sg_event_id <> b.sg_event_id "
    "and a.sg_event_id like 'generated%' and b.sg_event_id like 'generated%'",
    "no id": "message_events where sg_event_id is null",
    "empty id": "message_events where sg_event_id = ''",
    "generated id": r"message_events where sg_event_id ~ '^generated_\d{13}_[a-z0-9]{9}$'",
    "late by days": "message_events where created_at > event_at + interval '1 day' "
    "and event_at > '2000-01-01'",
    "delivered after open": f"message_events join {FIRST_DELIVERED} as d using (message_id) "
    "where type = 'open' and event_at < delivered_at",
    "apple open": "message_events where type = 'open' and data -> 'sg_machine_open' = 'true'",
    "proxy open": "message_events where type = 'open' and data ->> 'useragent' ~ 'ImageProxy'",
    "open at delivery": f"message_events join {FIRST_DELIVERED} as d using (message_id) where "
    "type = 'open' and event_at <= delivered_at + interval '2 seconds'",
    "human open": f"message_events join {FIRST_DELIVERED} as d using (message_id) where "
    "type = 'open' and data ->> 'useragent' ~ 'Chrome/138' "
    "and event_at > delivered_at + interval '1 hour'",
    "click at delivery": f"message_events join {FIRST_DELIVERED} as d using (message_id) where "
    "type = 'click' and event_at <= delivered_at + interval '2 seconds'",
    "click burst": "(select 1 from message_events where type = 'click' "
    "group by message_id, event_at, data -> 'ip', data -> 'useragent' "
    "having count(distinct data ->> 'url') >= 3) as burst",
    "hard bounce": "message_events where type = 'bounce' and data ->> 'type' = 'bounce'",
    "block": "message_events where type = 'bounce' and data ->> 'type' = 'blocked'",
    "bounce after delivery": "message_events a join message_events b using (message_id) "
    "where a.type = 'delivered' and b.type = 'bounce'",
    "drop": "message_events where type = 'dropped' and data ? 'reason'",
    "synthetic": "message_events where type = 'no_open' and data -> 'synthetic' = 'true' "
    "and sg_event_id is null",
    "synthetic click": "message_events where type = 'no_click'",
    "untidy type": "message_events where type <> lower(trim(type))",
    "unknown type": "message_events where type in ('amp_open', 'email.read')",
    "noise of the provider": "message_events where type in ('processed', 'deferred')",
    "foreign tenant": "message_events e join outbound_messages m on m.id = e.message_id "
    "where e.tenant_id <> m.tenant_id",
    "far future": "message_events where event_at > created_at + interval '20 days'",
    "clock at zero": "message_events where event_at = '1970-01-01'",
    **{
        f"type {kind}": f"message_events where type = '{kind}'"
        for kind in (
            *("spam", "spamreport", "spam_report", "complaint", "unsubscribe"),
            *("group_unsubscribe", "resubscribe", "reply"),
        )
    },
    "opt-out by a scanner": "message_events e join outbound_messages m on m.id = e.message_id "
    "where type = 'unsubscribe' and event_at <= sent_at + interval '120 seconds'",
    "failed": "outbound_messages where state = 'failed' and error_at is not null "
    "and last_error is not null and sent_at is null",
    "failed but sent": f"outbound_messages m join {WITH_EVENTS} as e on e.message_id = m.id "
    "where state = 'failed'",
    "crashed after sending": f"outbound_messages m join {WITH_EVENTS} as e "
    "on e.message_id = m.id where state = 'queued' and provider_message_id is null",
    "still queued": f"outbound_messages m left join {WITH_EVENTS} as e on e.message_id = m.id "
    "where state = 'queued' and e.message_id is null",
    "mailbox send": "outbound_messages where provider_message_id ~ '^[0-9a-f]{16}$'",
    "opt-out by event": "contact_unsubscribes where unsubscribe_source = 'sendgrid_webhook' "
    "and campaign_id is not null and contact_id is not null",
    "opt-out by link": "contact_unsubscribes where unsubscribe_source = 'link_click' "
    "and campaign_id is not null and contact_id is null and ip_address is not null",
    "opt-out by hand": "contact_unsubscribes where unsubscribe_source = 'manual' "
    "and campaign_id is null and contact_id is null",
    "opt-out of a deleted contact": "contact_unsubscribes where campaign_id is null "
    "and contact_id is null and unsubscribe_source = 'sendgrid_webhook'",
    "reply in the inbox": "inbound_messages where campaign_id is not null",
    "reply of a stranger": "inbound_messages where campaign_id is null and contact_id is null",
    "step by an open": "campaign_transitions where from_status is null and to_status = 'active' "
    "and reason like 'Event: open - transition from %'",
    "backdated timeout": "campaign_transitions where reason like 'Timeout: no_open - %' "
    "and created_at > occurred_at + interval '71 hours'",
    "transition twice": "campaign_transitions a join campaign_transitions b "
    "using (campaign_id, occurred_at, to_status) where a.id < b.id",
    "real status": "campaign_transitions where from_status = 'active' and to_status = 'completed'",
    "no reason": "campaign_transitions where reason is null",
    "completed": "contact_campaigns where status = 'completed' and completed_at > started_at",
    "running": "contact_campaigns where status = 'active' and completed_at is null",
    "draft": "contact_campaigns where status = 'draft' and started_at is null",
    "no address": "lead_point_of_contacts where email is null",
    "untidy address": "lead_point_of_contacts where email <> lower(trim(email))",
    "shared address": "lead_point_of_contacts a join lead_point_of_contacts b using (email) "
    "where a.id < b.id",
}

# None may find a row.
IMPOSSIBLE = {
    "event before its message": "message_events e join outbound_messages m "
    "on m.id = e.message_id where e.created_at < m.created_at",
    "event of a mailbox send": "message_events e join outbound_messages m "
    "on m.id = e.message_id where m.provider_message_id ~ '^[0-9a-f]{16}$'",
    "event ingested before it happened": "message_events where created_at < event_at "
    "and event_at < created_at + interval '1 day'",
    "part of a second": "message_events where date_trunc('second', event_at) <> event_at",
    "listed again after a resubscribe": "contact_unsubscribes u "
    "join outbound_messages m on m.contact_id = u.contact_id "
    "join message_events e on e.message_id = m.id where e.type ~ 'resubscribe'",
    "lead after its contact": "leads l join lead_point_of_contacts c on c.lead_id = l.id "
    "where l.created_at > c.created_at",
}


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    with inside(database_url, SCHEMA) as connection:
        yield connection


def test_the_default_plan_shows_every_oddity(database: psycopg.Connection) -> None:
    create_source_tables(database, SCHEMA)
    summary = generate(database, SCHEMA, DemoDataPlan(end=END))
    assert [name for name, what in TRAITS.items() if not found(database, what)] == []
    assert [name for name, what in IMPOSSIBLE.items() if found(database, what)] == []
    assert summary.rows == {table: found(database, table) for table in summary.rows}
    messages = summary.rows["outbound_messages"]
    assert messages == 20_000
    sent = "outbound_messages where state = 'sent' and length(provider_message_id) = 22"
    happened = "(select distinct message_id from message_events where type = '{}') as messages"
    shares = {
        kind: found(database, happened.format(kind)) / found(database, sent)
        for kind in ("delivered", "open", "click", "bounce")
    }
    assert shares == pytest.approx(
        {"delivered": 0.965, "open": 0.40, "click": 0.10, "bounce": 0.022}, rel=0.12
    )


def test_deleting_a_tenant_takes_its_rows_along(database: psycopg.Connection) -> None:
    create_source_tables(database, SCHEMA)
    generate(database, SCHEMA, SMALL)
    database.execute("delete from message_events e using outbound_messages m "
                     "where m.id = e.message_id and m.tenant_id <> e.tenant_id")  # fmt: skip
    database.execute("delete from tenants where id = (select min(id) from tenants)")
    assert found(database, "tenants") == 3
    assert found(database, "(select distinct tenant_id from message_events) as t") == 3


@pytest.mark.parametrize("tenants", [1, 2, 3, 10, 60])
def test_tenants_differ_in_size_and_zone(tenants: int) -> None:
    generator = Generator(DemoDataPlan(tenants=tenants, messages=5_000, days=40, end=END))
    sizes = [tenant.messages for tenant in generator.tenants]
    assert sum(sizes) == 5_000
    assert sizes == sorted(sizes, reverse=True)
    assert tenants < 3 or 0.4 < sizes[0] / 5_000 < 0.6
    assert len({tenant.id for tenant in generator.tenants}) == tenants
    assert len({tenant.name for tenant in generator.tenants}) == tenants
    zones = [tenant.zone for tenant in generator.tenants]
    assert zones[:5] == list(ZONES[:5])[:tenants]
    assert sum(chunk.rows.get("outbound_messages", 0) for chunk in generator.chunks()) == 5_000


def test_mail_goes_out_in_local_office_hours(database: psycopg.Connection) -> None:
    create_source_tables(database, SCHEMA)
    summary = generate(database, SCHEMA, DemoDataPlan(messages=3_000, days=28, end=END))
    for tenant, zone in summary.tenant_timezones.items():
        row = database.execute(
            "select avg((extract(hour from at) between 7 and 18)::int)::float, "
            "avg((extract(isodow from at) > 5)::int)::float from outbound_messages, "
            "lateral (select created_at at time zone 'UTC' at time zone %s as at) as local "
            "where tenant_id = %s",
            [zone, tenant],
        ).fetchone()
        assert row is not None
        assert row[0] > 0.75, zone
        assert row[1] < 0.15, zone
