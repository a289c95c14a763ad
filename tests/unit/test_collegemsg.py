"""The reading of the message board as mail, on a board small enough to check by eye."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.outreach.collegemsg import read_collegemsg

DAY = 86_400
NOON = 1_082_030_400  # 15 April 2004, 12:00 UTC


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """1 writes to 2; 13, of the same tenant, does too; 2 answers 13, then 1, then 1 too late."""
    lines = [(1, 2, 0), (13, 2, 60), (2, 13, 120), (2, 1, 180), (1, 2, 200), (2, 1, 8 * DAY)]
    path = tmp_path / "board.txt.gz"
    with gzip.open(path, "wt", encoding="ascii") as file:
        file.writelines(f"{a} {b} {NOON + after}\n" for a, b, after in lines)
    return path


def seconds(frame: pd.DataFrame, kind: str) -> dict[str, int]:
    """Seconds after the first message at which each message had an event of this kind."""
    events = frame[frame["type"] == kind]
    after = (events["event_at"] - pd.Timestamp("2004-04-15 12:00")).dt.total_seconds()
    return dict(zip(events["message_id"].str[-1], after.astype(int), strict=True))


def test_opens_and_replies_are_what_the_recipient_wrote_next(board: Path) -> None:
    events = read_collegemsg(board)["message_events"]
    assert len(seconds(events, "delivered")) == 6
    assert seconds(events, "open") == {"0": 120, "1": 120, "3": 200}
    assert seconds(events, "reply") == {"0": 180, "1": 120, "3": 200}


def test_a_second_sender_of_a_tenant_gets_a_campaign_and_keeps_the_contact(board: Path) -> None:
    frames = read_collegemsg(board)
    assert list(frames["outbound_messages"]["contact_id"][:2]) == ["contact_01_2"] * 2
    campaigns = frames["contact_campaigns"]
    assert len(campaigns) == 4
    assert not campaigns.duplicated(["tenant_id", "contact_id", "channel"]).any()
    assert set(campaigns["contact_id"]) <= set(frames["lead_point_of_contacts"]["id"])


def test_a_seeded_lag_is_the_same_every_time_and_at_most_three_days(board: Path) -> None:
    once, again = (read_collegemsg(board, lag=4)["message_events"] for _ in range(2))
    assert once.equals(again)
    fixed = read_collegemsg(board, lag=lambda *_: timedelta(hours=5))["message_events"]
    assert set(fixed["created_at"] - fixed["event_at"]) == {timedelta(hours=5)}
    late = once["created_at"] - once["event_at"]
    assert late.between(timedelta(), timedelta(days=3)).all()
