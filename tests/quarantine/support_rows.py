"""Bad and odd rows of the support source. Each has an account with one good row of every table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from tests.quarantine.rows import AT, LATER, LONG, UNKNOWN, BadRow, OddRow
from tests.support.warehouse import SupportWarehouse

Put = Callable[[SupportWarehouse, int], object]

EVENTS = "reporting_events"
SHORT = {EVENTS: "event", "conversations": "conversation", "messages": "message"}
TABLES = tuple(SHORT)
STRANGER = 9001
NEWCOMER = 9002


def add_account(warehouse: SupportWarehouse, account: int) -> None:
    """An account with one good row of every table."""
    warehouse.add_account(account)
    for table in TABLES:
        put_row(warehouse, account, table, id=account * 10)


def put_row(warehouse: SupportWarehouse, account: int, table: str, **changes: Any) -> None:
    """One row of a table, good but for the changes; its id is ten times the account's and one."""
    row: dict[str, Any] = {"id": account * 10 + 1, "account_id": account, "inbox_id": 1}
    row |= {"created_at": AT, "updated_at": AT}
    row |= {
        EVENTS: {
            "conversation_id": account * 10, "name": "conversation_resolved", "value": 1.5,
            "value_in_business_hours": 1.0,
        },
        "conversations": {"status": 0, "display_id": row["id"], "team_id": 7},
        "messages": {"conversation_id": account * 10, "message_type": 1},
    }[table]  # fmt: skip
    warehouse.insert(table, **(row | changes))


def bad(table: str, **changes: Any) -> Put:
    return lambda warehouse, account: put_row(warehouse, account, table, **changes)


def set_right(table: str, where: str = "id = {bad}", /, **changes: Any) -> Put:
    """Correct the bad row; it comes in again. Texts may name {account}, {good} and {bad}."""

    def fix(warehouse: SupportWarehouse, account: int) -> None:
        names = {"account": account, "good": account * 10, "bad": account * 10 + 1}
        values = {"updated_at": LATER} | changes
        values = {k: v.format(**names) if isinstance(v, str) else v for k, v in values.items()}
        columns = ", ".join(f"{name} = %s" for name in values)
        statement = f"update {table} set {columns} where {where.format(**names)}"
        done = warehouse.connection.execute(statement.encode(), list(values.values()))
        assert done.rowcount == 1, statement

    return fix


def _times() -> list[BadRow[SupportWarehouse]]:
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
            rows.append(
                BadRow(f"{SHORT[table]}_{name}", table, reason, bad(table, created_at=time),
                       set_right(table, created_at=AT))
            )  # fmt: skip
        for name in ("infinity", "-infinity", None, "0001-01-01", "294276-12-31"):
            day_before = AT - timedelta(days=1)
            rows.append(
                BadRow(
                    f"{SHORT[table]}_came_in_{name}".replace("-", "minus_"), table,
                    "no_ingest_time", bad(table, created_at=day_before, updated_at=name),
                    set_right(table), date=day_before.date(),
                )
            )  # fmt: skip
        rows.append(
            BadRow(f"{SHORT[table]}_has_no_time_at_all", table, "no_time",
                   bad(table, created_at=None, updated_at=None),
                   set_right(table, created_at=AT), date=date(2000, 1, 1))
        )  # fmt: skip
    return rows


def _ids() -> list[BadRow[SupportWarehouse]]:
    rows = []
    for table in TABLES:
        name = SHORT[table]
        right = set_right(table, account_id="{account}")
        rows += [
            BadRow(f"{name}_of_nobody", table, "no_tenant", bad(table, account_id=None), right,
                   UNKNOWN),
            BadRow(f"{name}_of_a_stranger", table, "unknown_tenant",
                   bad(table, account_id=STRANGER), right, str(STRANGER)),
            BadRow(f"{name}_without_id", table, "no_id", bad(table, id=None),
                   set_right(table, "account_id = {account} and id is null", id="{bad}")),
        ]  # fmt: skip
    return rows


def _values() -> list[BadRow[SupportWarehouse]]:
    return [
        BadRow(f"{column}_{name}".replace("-", "minus_"), EVENTS, "impossible_value",
               bad(EVENTS, **{column: float(name)}), set_right(EVENTS, **{column: 2.5}))
        for column in ("value", "value_in_business_hours")
        for name in ("nan", "inf", "-inf", "1.7e308", "-2e15")
    ]  # fmt: skip


def _stranger_comes(warehouse: SupportWarehouse, _account: int) -> None:
    warehouse.add_account(NEWCOMER)


def _own_conversation(warehouse: SupportWarehouse, account: int) -> None:
    """Another account's conversation, which our rows name."""
    other = 5000 + account
    warehouse.add_account(other)
    warehouse.add_conversation(other, 50_000 + account, AT)


def _misplaced(table: str) -> Put:
    def put(warehouse: SupportWarehouse, account: int) -> None:
        _own_conversation(warehouse, account)
        put_row(warehouse, account, table, conversation_id=50_000 + account)

    return put


BAD_ROWS: list[BadRow[SupportWarehouse]] = [
    *_times(),
    *_ids(),
    *_values(),
    *(
        BadRow(f"{SHORT[table]}_of_anothers_conversation", table, "tenant_mismatch",
               _misplaced(table), set_right(table, conversation_id="{good}"))
        for table in (EVENTS, "messages")
    ),
    BadRow("conversation_of_an_account_to_come", "conversations", "unknown_tenant",
           bad("conversations", account_id=NEWCOMER), _stranger_comes, str(NEWCOMER), count=1),
]  # fmt: skip


def twice(table: str) -> Put:
    """A row of which there are two with one id."""

    def put(warehouse: SupportWarehouse, account: int) -> None:
        put_row(warehouse, account, table)
        put_row(warehouse, account, table, updated_at=AT + timedelta(minutes=1))

    return put


ODD_ROWS: list[OddRow[SupportWarehouse]] = [
    OddRow("event_without_values", EVENTS, bad(EVENTS, value=None, value_in_business_hours=None)),
    OddRow("event_of_a_conversation_that_is_gone", EVENTS, bad(EVENTS, conversation_id=999_999)),
    OddRow("event_of_no_conversation", EVENTS, bad(EVENTS, conversation_id=None)),
    OddRow("event_of_no_name", EVENTS, bad(EVENTS, name=None), counted=1, ignored=1),
    OddRow("event_of_an_endless_name", EVENTS, bad(EVENTS, name=LONG), counted=1, ignored=1),
    OddRow("event_that_is_not_rolled_up", EVENTS, bad(EVENTS, name="conversation_opened"),
           counted=1, ignored=1),
    OddRow("negative_value", EVENTS, bad(EVENTS, value=-1.0)),
    OddRow("message_of_no_type", "messages", bad("messages", message_type=None),
           counted=1, ignored=1),
    OddRow("message_of_activity", "messages", bad("messages", message_type=2),
           counted=1, ignored=1),
    OddRow("message_with_an_endless_sender_type", "messages", bad("messages", sender_type=LONG)),
    OddRow("message_of_no_inbox", "messages", bad("messages", inbox_id=None)),
    OddRow("conversation_of_no_status", "conversations", bad("conversations", status=1)),
    *(
        OddRow(f"two_{SHORT[table]}s_with_one_id", table, twice(table), duplicates=1)
        for table in TABLES
    ),
]  # fmt: skip
