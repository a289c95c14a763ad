"""Drift of the support source that capture cannot see: found, marked, healed, found no more."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from tests.reconciliation.asking import check, found, require_healed, require_marked_exactly
from tests.support.warehouse import SupportWarehouse

NOON = datetime(2026, 3, 3, 12, 0)


def day(number: int) -> date:
    """The day so many days after the first conversation."""
    return NOON.date() + timedelta(days=number)


def fill(warehouse: SupportWarehouse, account: int) -> None:
    """Conversations on four days; the next day answered, handed off and resolved."""
    warehouse.add_account(account)
    warehouse.add_inbox(account, account, bot=True)
    for number in range(4):
        at, conversation = NOON + timedelta(days=number), account * 100 + number
        warehouse.add_conversation(account, conversation, at, inbox_id=account)
        next_day = at + timedelta(days=1)
        names = ("conversation_bot_handoff", "conversation_bot_resolved", "conversation_resolved")
        for place, name in enumerate(names):
            warehouse.add_event(
                account, conversation * 10 + place, name, next_day, conversation,
                inbox_id=account, user_id=1, value=60.0,
            )  # fmt: skip
        for place in range(2):
            warehouse.add_message(
                account, conversation * 10 + place, conversation, next_day,
                inbox_id=account, sender_type="User", sender_id=1,
            )  # fmt: skip
    alone = NOON + timedelta(days=2)
    warehouse.add_event(account, account * 10_000, "first_response", alone, inbox_id=account)


# An account's third conversation (it began on day 2) and its rows of day 3.
CONVERSATION, EVENT, MESSAGE = "{account}02", "{account}020", "{account}020"
PARTS = ("conversations", "reporting_events", "messages")

# What happens to an account (it stands for {account}), and what is found: day, part, kind.
DRIFTS: dict[str, tuple[str, set[tuple[int, str, str]]]] = {
    "conversation deleted": (
        f"delete from conversations where id = {CONVERSATION}",
        {(2, "conversations", "gone"), (3, "reporting_events", "changed"),
         (3, "messages", "changed")},
    ),
    "conversation deleted with its rows": (
        (f"delete from conversations where id = {CONVERSATION};"
        f" delete from reporting_events where conversation_id = {CONVERSATION};"
        f" delete from messages where conversation_id = {CONVERSATION}"),
        {(2, "conversations", "gone"), (3, "reporting_events", "gone"), (3, "messages", "gone")},
    ),
    "conversation of another team": (
        f"update conversations set team_id = 7 where id = {CONVERSATION}",
        {(2, "conversations", "changed"), (3, "reporting_events", "changed"),
         (3, "messages", "changed")},
    ),
    "conversation of another agent": (
        f"update conversations set assignee_id = 7 where id = {CONVERSATION}",
        {(2, "conversations", "changed")},
    ),
    "conversation moved to a day": (
        (f"update conversations set created_at = created_at - interval '1 day'"
        f" where id = {CONVERSATION}"),
        {(1, "conversations", "missing"), (2, "conversations", "gone"),
         (3, "reporting_events", "changed"), (3, "messages", "changed")},
    ),
    "conversation moved to an account": (
        f"update conversations set account_id = 99, display_id = 77 where id = {CONVERSATION}",
        # what names a conversation of another account is quarantined
        {(2, "conversations", "gone"), (3, "reporting_events", "gone"), (3, "messages", "gone")},
    ),
    "event deleted": (
        f"delete from reporting_events where id = {EVENT}",
        {(3, "reporting_events", "gone")},
    ),
    "event of another value": (
        f"update reporting_events set value = 61 where id = {EVENT}",
        {(3, "reporting_events", "changed")},
    ),
    "event of another name": (
        f"update reporting_events set name = 'reply_time' where id = {EVENT}",
        {(3, "reporting_events", "changed")},
    ),
    "event of a name that does not count": (
        f"update reporting_events set name = 'conversation_opened' where id = {EVENT}",
        {(3, "reporting_events", "gone")},
    ),
    "event moved to a conversation": (
        f"update reporting_events set conversation_id = {{account}}01 where id = {EVENT}",
        {(3, "reporting_events", "changed")},
    ),
    "event moved out of its conversation": (
        f"update reporting_events set conversation_id = null where id = {EVENT}",
        {(3, "reporting_events", "changed")},
    ),
    "event moved to an account": (
        f"update reporting_events set account_id = 99 where id = {EVENT}",
        {(3, "reporting_events", "gone")},
    ),
    "event moved to a day": (
        (
            "update reporting_events set created_at = created_at + interval '1 day'"
            f" where id = {EVENT}"
        ),
        {(3, "reporting_events", "gone"), (4, "reporting_events", "missing")},
    ),
    "event came in unseen": (
        ("insert into reporting_events (id, account_id, name, value, created_at, updated_at)"
        " values ({account}999, {account}, 'reply_time', 5, '2026-03-05', '2026-03-05')"),
        {(2, "reporting_events", "missing")},
    ),
    "message deleted": (
        f"delete from messages where id = {MESSAGE}",
        {(3, "messages", "gone")},
    ),
    "message moved to a conversation": (
        f"update messages set conversation_id = {{account}}01 where id = {MESSAGE}",
        {(3, "messages", "changed")},
    ),
    "message moved to a day": (
        f"update messages set created_at = created_at - interval '1 day' where id = {MESSAGE}",
        {(2, "messages", "missing"), (3, "messages", "gone")},
    ),
    "message of the other side": (
        f"update messages set message_type = 0 where id = {MESSAGE}",
        {(3, "messages", "changed")},
    ),
    "message of nobody": (
        f"update messages set sender_type = null where id = {MESSAGE}",
        {(3, "messages", "changed")},
    ),
    "account deleted": (
        "delete from accounts where id = {account}",
        {
            # the last conversation's rows are read again anyway
            *((number, "conversations", "gone") for number in range(3)),
            *((number + 1, "reporting_events", "gone") for number in range(3)),
            *((number + 1, "messages", "gone") for number in range(3)),
        },
    ),
}  # fmt: skip


def test_every_drift_is_found_marked_and_healed(support: SupportWarehouse) -> None:
    accounts = {str(number): drift for number, drift in enumerate(DRIFTS, start=101)}
    for account in (*accounts, "99"):
        fill(support, int(account))
    support.refresh()
    untouched = check(support)
    assert found(untouched) == {}
    assert untouched.source_rows == untouched.ledger_rows == 25 * (len(DRIFTS) + 1)
    assert support.pending() == []

    for account, drift in accounts.items():
        support.connection.execute(DRIFTS[drift][0].format(account=account).encode())
    outcome = check(support)
    seen = {accounts.get(account, account): parts for account, parts in found(outcome).items()}
    expected = {
        drift: {(day(number), part, kind) for number, part, kind in parts}
        for drift, (_, parts) in DRIFTS.items()
    }
    neighbours = {(day(2), "conversations", "missing")}
    assert seen == expected | {"99": neighbours}
    require_marked_exactly(support, outcome)
    require_healed(support)
