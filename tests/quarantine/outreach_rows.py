"""Bad and odd rows of the outreach source. Each has a tenant with one good row of every table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from tests.outreach.warehouse import OutreachWarehouse
from tests.quarantine.rows import AT, LATER, LONG, UNKNOWN, BadRow, OddRow

Put = Callable[[OutreachWarehouse, str], object]

SHORT = {
    "outbound_messages": "message", "message_events": "event", "inbound_messages": "reply",
    "campaign_transitions": "step", "contact_unsubscribes": "optout",
}  # fmt: skip
HAPPENED = {
    "outbound_messages": "sent_at", "message_events": "event_at",
    "inbound_messages": "received_at", "campaign_transitions": "occurred_at",
    "contact_unsubscribes": "unsubscribed_at",
}  # fmt: skip
CAME_IN = {
    "outbound_messages": "updated_at", "message_events": "created_at",
    "inbound_messages": "updated_at", "campaign_transitions": "created_at",
    "contact_unsubscribes": "created_at",
}  # fmt: skip
TABLES = tuple(SHORT)


def add_tenant(warehouse: OutreachWarehouse, tenant: str) -> None:
    """A tenant with one good row of every table."""
    warehouse.add_tenant(tenant)
    warehouse.add_contact(tenant, f"c_{tenant}")
    for table in TABLES:
        put_row(warehouse, tenant, table, id=f"good_{tenant}")


def put_row(warehouse: OutreachWarehouse, tenant: str, table: str, **changes: Any) -> None:
    """One row of a table, good but for the changes; its id is ``bad_`` and the tenant."""
    row: dict[str, Any] = {"id": f"bad_{tenant}", "tenant_id": tenant}
    happened, came_in = HAPPENED[table], CAME_IN[table]
    campaign, contact = f"campaign_c_{tenant}", f"c_{tenant}"
    row |= {happened: AT, came_in: AT}
    row |= {
        "outbound_messages": {
            "campaign_id": campaign, "contact_id": contact, "channel": "email",
            "dedupe_key": changes.get("id", row["id"]) or "none", "state": "sent",
        },
        "message_events": {"message_id": f"good_{tenant}", "type": "open", "data": "{}"},
        "inbound_messages": {"campaign_id": campaign, "contact_id": contact, "channel": "email"},
        "campaign_transitions": {"campaign_id": campaign, "to_status": "active"},
        "contact_unsubscribes": {
            "channel": "email", "channel_value": "a@x.example", "unsubscribe_source": "manual",
        },
    }[table]  # fmt: skip
    if table == "message_events" and str(changes.get("id", "")).startswith("good_"):
        row["type"] = "delivered"
    if table == "campaign_transitions" and str(changes.get("id", "")).startswith("good_"):
        row["to_status"] = "paused"
    if table == "contact_unsubscribes" and not str(changes.get("id", "")).startswith("good_"):
        row["channel_value"] = "b@x.example"
    warehouse.insert(table, **(row | changes))


def bad(table: str, **changes: Any) -> Put:
    return lambda warehouse, tenant: put_row(warehouse, tenant, table, **changes)


def set_right(table: str, where: str | None = None, /, **changes: Any) -> Put:
    """Correct the bad row; it comes in again. Texts may name the tenant as ``{}``."""

    def fix(warehouse: OutreachWarehouse, tenant: str) -> None:
        values = {CAME_IN[table]: LATER} | changes
        values = {k: v.format(tenant) if isinstance(v, str) else v for k, v in values.items()}
        columns = ", ".join(f"{name} = %s" for name in values)
        condition = where.format(tenant) if where else f"id = 'bad_{tenant}'"
        statement = f"update {table} set {columns} where {condition}"
        done = warehouse.connection.execute(statement.encode(), list(values.values()))
        assert done.rowcount == 1, statement

    return fix


def _times() -> list[BadRow[OutreachWarehouse]]:
    rows = []
    times = {
        "forever": ("infinity", "too_far_in_future"),
        "since_ever": ("-infinity", "before_min_event_date"),
        "year_1": ("0001-01-01", "before_min_event_date"),
        "before_christ": ("4713-01-01 BC", "before_min_event_date"),
        "year_99999": ("99999-01-01", "too_far_in_future"),
        "last_of_all": ("294276-12-31 23:59:59", "too_far_in_future"),
        "far_future": (AT + timedelta(days=1, seconds=1), "too_far_in_future"),
        "long_ago": ("1999-12-31 23:59:59", "before_min_event_date"),
        "no_time": (None, "no_time"),
    }
    for table in TABLES:
        for name, (time, reason) in times.items():
            fix = set_right(table, **{HAPPENED[table]: AT})
            put = bad(table, **{HAPPENED[table]: time})
            rows.append(BadRow(f"{SHORT[table]}_{name}", table, reason, put, fix))
        for name in ("infinity", "-infinity", None, "0001-01-01", "294276-12-31"):
            day_before = AT - timedelta(days=1)
            rows.append(
                BadRow(
                    f"{SHORT[table]}_came_in_{name}".replace("-", "minus_"), table,
                    "no_ingest_time",
                    bad(table, **{HAPPENED[table]: day_before, CAME_IN[table]: name}),
                    set_right(table), date=day_before.date(),
                )
            )  # fmt: skip
        rows.append(
            BadRow(
                f"{SHORT[table]}_has_no_time_at_all", table, "no_time",
                bad(table, **{HAPPENED[table]: None, CAME_IN[table]: None}),
                set_right(table, **{HAPPENED[table]: AT}), date=date(2000, 1, 1),
            )
        )  # fmt: skip
    return rows


def _tenants() -> list[BadRow[OutreachWarehouse]]:
    rows = []
    for table in TABLES:
        if table == "message_events":
            continue
        name = SHORT[table]
        right = set_right(table, tenant_id="{}")
        rows += [
            BadRow(f"{name}_of_nobody", table, "no_tenant", bad(table, tenant_id=None), right,
                   UNKNOWN),
            BadRow(f"{name}_of_a_pair", table, "unusable_tenant_id",
                   bad(table, tenant_id="a|b"), right, UNKNOWN),
            BadRow(f"{name}_of_a_control_character", table, "unusable_tenant_id",
                   bad(table, tenant_id="a\nb"), right, UNKNOWN),
            BadRow(f"{name}_of_an_endless_tenant", table, "unusable_tenant_id",
                   bad(table, tenant_id=LONG), right, UNKNOWN),
            BadRow(f"{name}_of_an_empty_tenant", table, "unusable_tenant_id",
                   bad(table, tenant_id=""), right, UNKNOWN),
            BadRow(f"{name}_of_a_stranger", table, "unknown_tenant",
                   bad(table, tenant_id=f"stranger_{name}"), right, f"stranger_{name}"),
        ]  # fmt: skip
    return rows


def _ids() -> list[BadRow[OutreachWarehouse]]:
    rows = []
    for table in TABLES:
        name = SHORT[table]
        rows += [
            BadRow(f"{name}_without_id", table, "no_id", bad(table, id=None),
                   set_right(table, _the_bad_one(table, "id is null"), id="bad_{}"),
                   tenant=None),
            BadRow(f"{name}_with_an_endless_id", table, "id_too_long", bad(table, id=LONG),
                   set_right(table, _the_bad_one(table, "length(id) > 500"), id="bad_{}")),
        ]  # fmt: skip
    for table in ("outbound_messages", "inbound_messages"):
        for column, right in (("campaign_id", "campaign_c_{}"), ("contact_id", "c_{}")):
            rows.append(
                BadRow(f"{SHORT[table]}_with_an_endless_{column}", table, "id_too_long",
                       bad(table, **{column: LONG}), set_right(table, **{column: right}))
            )  # fmt: skip
    return rows


def _the_bad_one(table: str, condition: str) -> str:
    owner = "message_id = 'good_{}'" if table == "message_events" else "tenant_id = '{}'"
    return f"{owner} and {condition}"


def _add_message(warehouse: OutreachWarehouse, tenant: str) -> None:
    put_row(warehouse, tenant, "outbound_messages", id=f"late_{tenant}", updated_at=LATER)


def _map_type(warehouse: OutreachWarehouse, _tenant: str) -> None:
    warehouse.connection.execute(
        "insert into staging.event_type_map (raw_type, canonical_type) values ('party', 'open')"
    )


def _add_stranger(warehouse: OutreachWarehouse, _tenant: str) -> None:
    warehouse.insert("tenants", id="newcomer", name="Newcomer")


EVENTS = "message_events"
BAD_ROWS: list[BadRow[OutreachWarehouse]] = [
    *_times(),
    *_tenants(),
    *_ids(),
    BadRow("event_of_no_message", EVENTS, "no_message",
           bad(EVENTS, message_id="nowhere"), set_right(EVENTS, message_id="good_{}")),
    BadRow("event_before_its_message", EVENTS, "no_message",
           lambda w, t: put_row(w, t, EVENTS, message_id=f"late_{t}"), _add_message),
    BadRow("event_without_message_id", EVENTS, "no_id",
           bad(EVENTS, message_id=None), set_right(EVENTS, message_id="good_{}")),
    BadRow("event_of_a_batch_of_nobody", EVENTS, "no_tenant",
           bad(EVENTS, tenant_id=None), set_right(EVENTS, tenant_id="{}")),
    BadRow("event_of_anothers_batch", EVENTS, "tenant_mismatch",
           bad(EVENTS, tenant_id="somebody"), set_right(EVENTS, tenant_id="{}")),
    BadRow("event_of_unknown_type", EVENTS, "unknown_type",
           bad(EVENTS, type="surprise"), set_right(EVENTS, type="open")),
    BadRow("event_of_a_type_nobody_mapped_yet", EVENTS, "unknown_type",
           bad(EVENTS, type="party"), _map_type),
    BadRow("event_of_an_endless_type", EVENTS, "unknown_type",
           bad(EVENTS, type=LONG), set_right(EVENTS, type="open")),
    BadRow("event_of_no_type", EVENTS, "unknown_type",
           bad(EVENTS, type=None), set_right(EVENTS, type="open")),
    BadRow("event_of_unknown_type_and_time", EVENTS, "unknown_type",
           bad(EVENTS, type="surprise", event_at="infinity"),
           set_right(EVENTS, type="open", event_at=AT)),
    BadRow("event_with_nul_in_json", EVENTS, "unreadable_json",
           bad(EVENTS, data='{"url": "a\\u0000b"}'), set_right(EVENTS, data="[]")),
    BadRow("event_with_half_a_character", EVENTS, "unreadable_json",
           bad(EVENTS, data='{"url": "\\ud83d"}'), set_right(EVENTS, data="[]")),
    BadRow("step_to_no_status", "campaign_transitions", "no_id",
           bad("campaign_transitions", to_status=None),
           set_right("campaign_transitions", to_status="active")),
    BadRow("step_of_no_campaign", "campaign_transitions", "no_id",
           bad("campaign_transitions", campaign_id=None),
           set_right("campaign_transitions", campaign_id="campaign_c_{}")),
    BadRow("step_of_an_endless_campaign", "campaign_transitions", "id_too_long",
           bad("campaign_transitions", campaign_id=LONG),
           set_right("campaign_transitions", campaign_id="campaign_c_{}")),
    BadRow("optout_of_an_endless_channel", "contact_unsubscribes", "id_too_long",
           bad("contact_unsubscribes", channel=LONG),
           set_right("contact_unsubscribes", channel="email")),
    BadRow("message_of_a_tenant_to_come", "outbound_messages", "unknown_tenant",
           bad("outbound_messages", tenant_id="newcomer"), _add_stranger, "newcomer", count=1),
]  # fmt: skip


def twice(table: str, **changes: Any) -> Put:
    """A row of which there are two with one id."""

    def put(warehouse: OutreachWarehouse, tenant: str) -> None:
        put_row(warehouse, tenant, table)
        put_row(warehouse, tenant, table, **changes)

    return put


ODD_ROWS: list[OddRow[OutreachWarehouse]] = [
    *(
        OddRow(f"data_{name}", EVENTS, bad(EVENTS, data=data))
        for name, data in {
            "none": None, "array": "[1]", "text": '"text"', "number": "1e300", "null": "null",
            "object_for_a_flag": '{"sg_machine_open": {"a": 1}}', "object_for_a_link":
            '{"url": {"nul": false}, "ip": 7, "useragent": []}', "huge_number": '{"ip": 1e3000}',
            "escaped_backslash": '{"url": "\\\\u0000"}', "emoji": '{"url": "\\ud83d\\ude00"}',
        }.items()
    ),
    OddRow("endless_data", EVENTS,
           bad(EVENTS, data=f'{{"url": "{LONG}", "ip": "{LONG}", "useragent": "{LONG}"}}')),
    OddRow("endless_provider_id", EVENTS, bad(EVENTS, sg_event_id=LONG)),
    OddRow("empty_event_id", EVENTS, bad(EVENTS, id="", event_at=AT + timedelta(seconds=1))),
    OddRow("event_id_like_ours", EVENTS, bad(EVENTS, id="message")),
    OddRow("event_id_with_control_characters", EVENTS, bad(EVENTS, id="\t\u202e💥'\"\\")),
    OddRow("message_without_contact", "outbound_messages",
           bad("outbound_messages", contact_id=None, campaign_id=None, channel=None)),
    OddRow("message_id_with_control_characters", "outbound_messages",
           bad("outbound_messages", id="inbound/\n💥,|...'")),
    OddRow("endless_provider_message_id", "outbound_messages",
           bad("outbound_messages", provider_message_id=LONG)),
    OddRow("queued_message", "outbound_messages",
           bad("outbound_messages", state="queued", sent_at=None), counted=1, ignored=1),
    OddRow("message_in_no_state", "outbound_messages",
           bad("outbound_messages", state=None), counted=1, ignored=1),
    OddRow("reply_by_no_channel", "inbound_messages", bad("inbound_messages", channel=None)),
    OddRow("endless_reason", "campaign_transitions", bad("campaign_transitions", reason=LONG)),
    OddRow("optout_without_address", "contact_unsubscribes",
           bad("contact_unsubscribes", channel=None, channel_value=None)),
    OddRow("optout_of_an_endless_address", "contact_unsubscribes",
           bad("contact_unsubscribes", channel_value=LONG)),
    OddRow("repeated_optout", "contact_unsubscribes",
           bad("contact_unsubscribes", channel_value=" A@x.example", created_at=LATER),
           counted=1, duplicates=1),
    OddRow("processed_event", EVENTS, bad(EVENTS, type="processed"), counted=1, ignored=1),
    *(
        OddRow(f"two_{SHORT[table]}s_with_one_id", table,
               twice(table, **{CAME_IN[table]: AT + timedelta(minutes=1)}), duplicates=1)
        for table in TABLES
    ),
    OddRow("two_events_with_one_id_that_differ", EVENTS,
           twice(EVENTS, type="click", sg_event_id="other",
                 created_at=AT + timedelta(minutes=2)), duplicates=1),
]  # fmt: skip
