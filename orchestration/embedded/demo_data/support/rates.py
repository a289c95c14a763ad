"""How often each oddity of the support data occurs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """How often things happen, as shares between 0 and 1 of what the comment says."""

    # of conversations
    proactive: float = 0.03  # begun by a campaign: the bot has no part in them
    assigned_at_once: float = 0.2
    labelled: float = 0.4
    labelled_twice: float = 0.3  # of those that are labelled
    deleted: float = 0.015  # their events remain
    # of what a bot has in hand
    captain: float = 0.1
    bot_resolved: float = 0.5
    handed_off: float = 0.38
    snoozed: float = 0.04  # the rest stays pending
    # of what agents have in hand
    assigned: float = 0.93
    with_team: float = 0.6
    closed_in_silence: float = 0.08
    ignored: float = 0.06
    private_note: float = 0.15
    another_agent: float = 0.1  # writes instead of the assignee
    further_round: float = 0.5
    # of resolutions
    reopened: float = 0.2
    reassigned: float = 0.1  # of those that are reopened
    # of events
    late: float = 0.01
    stored_twice: float = 0.006  # the job was retried
    no_conversation: float = 0.004
    no_inbox: float = 0.004
    no_user: float = 0.004
    no_value: float = 0.005


USUAL_RATES = Rates()
