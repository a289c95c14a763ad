"""Which alerts are news, and how they are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestration.alerting.alerts import GAP, REMINDER, Alert, AlertState, Message, news

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATE = Alert("missed_refreshes", "outreach", "none since 09:00", "http://ui/jobs")
WARNING = Alert("failing_check", "tenants", "2 without zone", "http://ui/checks", is_warning=True)


def told(message: Message | None) -> str:
    assert message is not None
    return f"{message.title}\n{message.body}"


def test_the_first_word_comes_at_once_and_says_what_to_do() -> None:
    message, state = news(AlertState(), [LATE], NOON)
    assert told(message).splitlines() == [
        "Rollups: 1 new",
        "Alert: missed_refreshes: outreach",
        "  none since 09:00",
        "  What to do: is the daemon up, the schedule on, the queue free?",
        "  http://ui/jobs",
    ]
    assert list(state.told) == ["missed_refreshes: outreach"]


def test_what_is_known_is_no_news() -> None:
    _, state = news(AlertState(), [LATE], NOON)
    assert news(state, [LATE], NOON + GAP) == (None, state)


def test_what_follows_at_once_is_told_together() -> None:
    _, state = news(AlertState(), [LATE], NOON)
    assert news(state, [LATE, WARNING], NOON + GAP / 2) == (None, state)
    message, state = news(state, [WARNING], NOON + GAP)
    assert "Rollups: 1 new, 1 recovered" in told(message)
    assert "Recovered: missed_refreshes: outreach, after 5 min" in told(message)
    assert "Warning: failing_check: tenants" in told(message)
    assert list(state.told) == ["failing_check: tenants"]


def test_what_comes_and_goes_unseen_is_not_told() -> None:
    _, state = news(AlertState(), [LATE], NOON)
    news(state, [LATE, WARNING], NOON + GAP / 2)
    assert news(state, [LATE], NOON + GAP)[0] is None


def test_an_alert_is_recalled_once_a_day_and_a_warning_never() -> None:
    _, state = news(AlertState(), [LATE, WARNING], NOON)
    assert news(state, [LATE, WARNING], NOON + REMINDER - timedelta(minutes=1))[0] is None
    message, state = news(state, [LATE, WARNING], NOON + REMINDER)
    assert told(message).startswith("Rollups: 1 still open\nAlert: missed_refreshes: outreach")
    message, _ = news(state, [], NOON + REMINDER + GAP)
    assert "after 24 h" in told(message)


def test_the_state_survives_as_text() -> None:
    _, state = news(AlertState(), [LATE], NOON)
    assert AlertState.model_validate_json(state.model_dump_json()) == state
