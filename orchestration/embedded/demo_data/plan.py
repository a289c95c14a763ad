"""How much to generate, over which period, and how it is spread over the tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from orchestration.errors import InputError

_LIMITS = {"tenants": (1, 1_000), "days": (1, 3_650), "messages": (1, 200_000_000)}
_MESSAGES_PER_CONVERSATION = 10
_EARLIEST_START = datetime(2002, 1, 1, tzinfo=UTC)
_LATEST_END = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DemoDataPlan:
    """How much to generate; the same plan with the same ``end`` gives the same rows.

    ``end`` is in UTC (a value without a zone is read as UTC); None means now, floored to the
    hour. Rows lie within ``days`` days before it. ``messages`` is the exact number of
    outbound messages in the outreach family; events come to about 1.9 per message. The support
    family has a conversation for every ten. Raises ``InputError`` for a value that cannot be
    used.
    """

    tenants: int = 4
    days: int = 30
    messages: int = 20_000
    seed: int = 7
    end: datetime | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            _require_whole(name, getattr(self, name), low, high)
        _require_whole("seed", self.seed, 0, 2**63 - 1)
        if self.tenants > self.messages:
            raise InputError(
                f"tenants={self.tenants}: each tenant needs a message, "
                f"use at most {self.messages} or raise messages"
            )
        if self.end is not None and not isinstance(self.end, datetime):
            raise InputError(f"end={self.end!r}: use a datetime in UTC, or None for now")
        start, end = self.period()
        if start < _EARLIEST_START or end > _LATEST_END:
            raise InputError(
                f"end={end.isoformat()}: the {self.days} days before it must lie between "
                f"{_EARLIEST_START.date()} and {_LATEST_END.date()}"
            )

    @property
    def conversations(self) -> int:
        """How many support conversations; each tenant has at least one."""
        return max(self.tenants, self.messages // _MESSAGES_PER_CONVERSATION)

    def period(self) -> tuple[datetime, datetime]:
        """Start and end of the generated time range, both in UTC."""
        if self.end is None:
            end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        elif self.end.tzinfo is None:
            end = self.end.replace(tzinfo=UTC)
        else:
            end = self.end.astimezone(UTC)
        return end - timedelta(days=self.days), end

    def period_in_micros(self) -> tuple[int, int]:
        """The same as microseconds since 1970."""
        start, end = self.period()
        return _micros(start), _micros(end)


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def _require_whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name}={value!r}: use a whole number from {low} to {high}")


def sizes_by_rank(total: int, tenants: int) -> list[int]:
    """Shares of the total, largest first: they fall like 1/rank and the first is about half.

    Everybody gets at least one.
    """
    weights = 1.0 / np.arange(1, tenants + 1)
    weights[0] = max(1.0, weights[1:].sum())
    sizes = np.floor(weights / weights.sum() * (total - tenants)).astype(np.int64) + 1
    sizes[0] += total - sizes.sum()
    return sizes.tolist()
