"""What to generate: the plan, the tenants with their zones, and how often each oddity occurs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from orchestration.embedded.demo_data.copy_text import cuids
from orchestration.embedded.demo_data.vocabulary import TENANT_NAMES
from orchestration.errors import InputError

ZONES = (
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "UTC",
    "Europe/London",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Asia/Tokyo",
    "Pacific/Auckland",
    "America/Los_Angeles",
    "Africa/Nairobi",
)

_LIMITS = {"tenants": (1, 1_000), "days": (1, 3_650), "messages": (1, 200_000_000)}
_EARLIEST_START = datetime(2002, 1, 1, tzinfo=UTC)
_LATEST_END = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DemoDataPlan:
    """How much to generate; the same plan with the same ``end`` gives the same rows.

    ``end`` is in UTC (a value without a zone is read as UTC); None means now, floored to the
    hour. Rows lie within ``days`` days before it. ``messages`` is the exact number of
    outbound messages; events come to about 1.9 per message. Raises ``InputError`` for a
    value that cannot be used.
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

    def period(self) -> tuple[datetime, datetime]:
        """Start and end of the generated time range, both in UTC."""
        if self.end is None:
            end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        elif self.end.tzinfo is None:
            end = self.end.replace(tzinfo=UTC)
        else:
            end = self.end.astimezone(UTC)
        return end - timedelta(days=self.days), end


def _require_whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name}={value!r}: use a whole number from {low} to {high}")


@dataclass(frozen=True)
class Tenant:
    """One customer of the application; ``zone`` is an IANA name the source does not store."""

    id: str
    name: str
    zone: str
    messages: int


def plan_tenants(plan: DemoDataPlan) -> list[Tenant]:
    """The tenants, largest first: sizes fall like 1/rank and the first sends about half."""
    rank = np.arange(1, plan.tenants + 1)
    weights = 1.0 / rank
    weights[0] = max(1.0, weights[1:].sum())
    spread = plan.messages - plan.tenants  # everybody sends at least one message
    shares = np.floor(weights / weights.sum() * spread).astype(np.int64) + 1
    shares[0] += plan.messages - shares.sum()
    ids = cuids(np.random.default_rng([plan.seed, 0]), plan.tenants).tolist()
    return [
        Tenant(ids[i].decode(), _tenant_name(i), ZONES[i % len(ZONES)], int(shares[i]))
        for i in range(plan.tenants)
    ]


def _tenant_name(position: int) -> str:
    round_, index = divmod(position, len(TENANT_NAMES))
    return TENANT_NAMES[index] if round_ == 0 else f"{TENANT_NAMES[index]} {round_ + 1}"


@dataclass(frozen=True)
class Rates:
    """How often things happen, as shares between 0 and 1 of what the comment says."""

    # of contacts
    draft_campaign: float = 0.03
    mailbox_provider: float = 0.03  # sends through Gmail: no events, ever
    shared_email: float = 0.01
    untidy_email: float = 0.01  # capitals and a blank at the end
    lost_email: float = 0.005
    manual_optout: float = 0.006
    kept_status: float = 0.15  # campaigns whose real status changes are logged
    # of messages
    failed: float = 0.015
    failed_but_sent: float = 0.001
    crashed_but_sent: float = 0.003
    stuck_in_queue: float = 0.003
    link_optout: float = 0.003
    # of messages that the provider accepted
    dropped: float = 0.010
    bounced: float = 0.020
    silent: float = 0.002
    # of delivered messages
    bounced_later: float = 0.002
    machine_open: float = 0.12
    human_open: float = 0.33
    click_of_openers: float = 0.22
    click_of_others: float = 0.010
    scanner_burst: float = 0.015
    scanner_click: float = 0.005
    complaint: float = 0.003
    unsubscribe: float = 0.008
    resubscribe: float = 0.25  # of those who unsubscribed
    unsubscribe_listed: float = 0.7  # of those who unsubscribed
    reply_event: float = 0.008
    reply_inbound: float = 0.008
    open_before_delivered: float = 0.02  # of those that were opened
    synthetic_timeout: float = 0.2  # of unopened ones in the first quarter of the time
    # of events
    late: float = 0.02
    copied_same_id: float = 0.02
    copied_new_id: float = 0.005
    generated_id: float = 0.005
    empty_id: float = 0.0005
    foreign_tenant: float = 0.0008
    unknown_type: float = 0.0008
    untidy_type: float = 0.001
    provider_noise: float = 0.0005
    far_future: float = 0.0005
    zero_time: float = 0.0003
    # of transitions
    transition_twice: float = 0.005


USUAL_RATES = Rates()
