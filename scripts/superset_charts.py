"""Charts and dashboards of the Superset bundle: what they show, not how Superset writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "line", "bar", "table"]
DAY, WEEK = "P1D", "P1W"


@dataclass(frozen=True)
class Chart:
    """Metrics of a view: as one number, by time (``every``), or by columns (``by``)."""

    title: str
    view: str
    kind: Kind
    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    every: str | None = None
    width: int = 6


@dataclass(frozen=True)
class Dashboard:
    """Rows of charts; ``name`` is that of the exposure. A row is 12 columns wide."""

    name: str
    title: str
    description: str
    rows: tuple[tuple[Chart, ...], ...]


def _numbers(view: str, **metrics: str) -> tuple[Chart, ...]:
    width = 12 // len(metrics)
    return tuple(
        Chart(title, view, "number", (metric,), width=width) for metric, title in metrics.items()
    )


_TENANT, _TENANT_COHORT = "rpt_tenant_daily", "rpt_tenant_cohort_daily"
_CAMPAIGN, _CAMPAIGN_COHORT = "rpt_campaign_daily", "rpt_campaign_cohort_daily"
_ACCOUNT, _AGENT = "rpt_support_account_daily", "rpt_support_agent_daily"
_INBOX, _TEAM, _BOT = (
    "rpt_support_inbox_daily", "rpt_support_team_daily", "rpt_support_bot_daily",
)  # fmt: skip
_ALL_RATES = ("delivery_rate", "open_rate", "click_rate", "reply_rate", "unsubscribe_rate")

DASHBOARDS = (
    Dashboard(
        "tenant_overview",
        "Tenant overview",
        "Volume, delivery and engagement of each tenant; days are the tenant's own.",
        (
            _numbers(_TENANT, sends="Sends", delivery_rate="Delivery rate", open_rate="Open rate",
                     complaint_rate="Complaint rate"),
            (
                Chart("Sends by day", _TENANT, "bar", ("sends",), ("tenant_name",), DAY),
                Chart("Open rate by week", _TENANT, "line", ("open_rate",), ("tenant_name",), WEEK),
            ),
            (
                Chart("Bounces, complaints and opt-outs", _TENANT, "bar",
                      ("bounces", "complaints", "optouts"), (), DAY),
                Chart("Send-day rates by week", _TENANT_COHORT, "line",
                      ("open_rate", "click_rate", "reply_rate"), (), WEEK),
            ),
            (
                Chart("Tenants", _TENANT, "table", ("sends", *_ALL_RATES),
                      ("tenant_name", "timezone"), width=12),
            ),
        ),
    ),
    Dashboard(
        "campaign_performance",
        "Campaign performance",
        "Campaigns by what happened on a day (activity), by day of sending (cohort) and by hour.",
        (
            _numbers(_CAMPAIGN, activated="Activated", completed="Completed", stopped="Stopped",
                     replies="Replies"),
            (
                Chart("Activity: sends by channel", _CAMPAIGN, "bar", ("sends",), ("channel",),
                      DAY),
                Chart("Activity: rates by week", _CAMPAIGN, "line",
                      ("open_rate", "click_rate", "reply_rate"), (), WEEK),
            ),
            (
                Chart("Cohort: open rate by channel and send week", _CAMPAIGN_COHORT, "line",
                      ("open_rate",), ("channel",), WEEK),
                Chart("By hour of the tenant's day", "rpt_contact_hourly", "bar",
                      ("opens", "clicks", "replies"), ("hour_of_day",)),
            ),
            (
                Chart("Activity: leads", _CAMPAIGN, "table",
                      ("sends", "open_rate", "click_rate", "replies"), ("lead_name", "channel")),
                Chart("Cohort: how soon leads open", _CAMPAIGN_COHORT, "table",
                      ("sent", "opened_within_1h", "opened_within_24h", "opened_within_7d"),
                      ("lead_name", "channel")),
            ),
        ),
    ),
    Dashboard(
        "support_team",
        "Support team",
        "How much comes in and how quickly it is answered. Inboxes, teams and agents count the same"
        " events: do not add them up.",
        (
            _numbers(_ACCOUNT, conversations_count="Conversations", resolutions_count="Resolutions",
                     avg_first_response_time="First response, seconds",
                     avg_resolution_time="Resolution, seconds"),
            (
                Chart("Conversations and resolutions", _ACCOUNT, "line",
                      ("conversations_count", "resolutions_count"), (), DAY),
                Chart("First response and reply by week, seconds", _ACCOUNT, "line",
                      ("avg_first_response_time", "avg_reply_time"), (), WEEK),
            ),
            (
                Chart("Conversations by inbox", _INBOX, "bar", ("conversations_count",),
                      ("inbox_name",)),
                Chart("Teams", _TEAM, "table",
                      ("conversations_count", "resolutions_count", "avg_first_response_time"),
                      ("team_name",)),
            ),
            (
                Chart("Agents", _AGENT, "table",
                      ("conversations_count", "replies_count", "resolutions_count",
                       "avg_first_response_time", "avg_resolution_time"),
                      ("tenant_name", "agent_name"), width=12),
            ),
        ),
    ),
    Dashboard(
        "bots",
        "Bots",
        "What became, up to now, of the conversations that began with a bot.",
        (
            _numbers(_BOT, conversations_count="Conversations with a bot",
                     bot_resolution_rate="Resolved by the bot",
                     bot_handoff_rate="Handed off"),
            (
                Chart("Conversations by day", _BOT, "bar",
                      ("bot_resolved_count", "bot_handed_off_count"), (), DAY),
                Chart("Rates by week", _BOT, "line",
                      ("bot_resolution_rate", "bot_handoff_rate"), (), WEEK),
            ),
            (
                Chart("Bots by inbox", _BOT, "table",
                      ("conversations_count", "bot_resolution_rate", "bot_handoff_rate"),
                      ("tenant_name", "inbox_name", "channel_type"), width=12),
            ),
        ),
    ),
)  # fmt: skip
