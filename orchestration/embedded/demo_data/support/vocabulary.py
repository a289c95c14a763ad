"""The closed lists of the support data, which rows refer to by position, and its words."""

from __future__ import annotations

from typing import NamedTuple

OPEN, RESOLVED, PENDING, SNOOZED = range(4)

EVENT_NAMES = (
    "first_response",
    "reply_time",
    "conversation_resolved",
    "conversation_bot_resolved",
    "conversation_bot_handoff",
    "conversation_opened",
    "conversation_captain_inference_resolved",
    "conversation_captain_inference_handoff",
)
(
    FIRST_RESPONSE,
    REPLY_TIME,
    RESOLUTION,
    BOT_RESOLUTION,
    HANDOFF,
    OPENING,
    CAPTAIN_RESOLUTION,
    CAPTAIN_HANDOFF,
) = range(len(EVENT_NAMES))
CAPTAIN_EVENTS = (CAPTAIN_RESOLUTION, CAPTAIN_HANDOFF)


class Voice(NamedTuple):
    """Who speaks in a message, in which way, and what they say."""

    message_type: int
    private: bool
    sender_type: str | None
    content: str


VOICES = (
    Voice(0, False, "Contact", "Hello, I have a question about my order."),
    Voice(1, False, "User", "Thank you for waiting, here is what I found."),
    Voice(1, True, "User", "The customer asked about this last week, too."),
    Voice(1, False, "AgentBot", "These articles may help you."),
    Voice(1, False, "Captain::Assistant", "I can help you with that."),
    Voice(1, False, None, "How do you like the new version?"),
    Voice(3, False, None, "Give the team a way to reach you."),
    Voice(2, False, None, "The conversation was marked as resolved."),
)
CUSTOMER, AGENT, NOTE, BOT, CAPTAIN, CAMPAIGN, GREETING, ACTIVITY = range(len(VOICES))
DELIVERED = (AGENT, BOT, CAPTAIN, CAMPAIGN)

# The label of the last tag was deleted: only its taggings are left.
TAGS = ("billing", "bug", "feature-request", "refund", "shipping", "legacy-import")
LABELS = TAGS[:-1]
TEAMS = ("support", "sales", "billing")
