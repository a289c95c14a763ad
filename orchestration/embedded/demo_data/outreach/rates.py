"""How often each oddity of the outreach data occurs."""

from __future__ import annotations

from dataclasses import dataclass


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
    complaint: float = 0.0008
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
