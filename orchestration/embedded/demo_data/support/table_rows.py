"""The chunk's rows as COPY text, one function per table; column lists are in ``COLUMNS``."""

from __future__ import annotations

import numpy as np

from orchestration.embedded.demo_data.copy_text import (
    NULL,
    Ints,
    Texts,
    encoded,
    fuse,
    numbers,
    pick,
    rows,
    timestamps,
    where,
)
from orchestration.embedded.demo_data.support import vocabulary as words
from orchestration.embedded.demo_data.support.accounts import Accounts
from orchestration.embedded.demo_data.support.arrival import StoredEvents
from orchestration.embedded.demo_data.support.labels import LABEL_LISTS, Labels
from orchestration.embedded.demo_data.support.life import Happenings, Life

COLUMNS = {
    "accounts": "id, name, settings, created_at, updated_at",
    "users": "id, uid, name, email, created_at, updated_at",
    "account_users": "id, account_id, user_id, created_at, updated_at",
    "teams": "id, name, account_id, created_at, updated_at",
    "team_members": "id, team_id, user_id, created_at, updated_at",
    "inboxes": "id, channel_id, account_id, name, channel_type, working_hours_enabled, timezone, "
    "created_at, updated_at",
    "working_hours": "id, inbox_id, account_id, day_of_week, closed_all_day, open_hour, "
    "open_minutes, close_hour, close_minutes, created_at, updated_at",
    "agent_bots": "id, name, account_id, created_at, updated_at",
    "agent_bot_inboxes": "id, inbox_id, agent_bot_id, status, account_id, created_at, updated_at",
    "integrations_hooks": "id, status, inbox_id, account_id, app_id, created_at, updated_at",
    "labels": "id, title, account_id, created_at, updated_at",
    "tags": "id, name, taggings_count",
    "conversations": "id, account_id, inbox_id, status, assignee_id, team_id, contact_id, "
    "display_id, cached_label_list, first_reply_created_at, waiting_since, last_activity_at, "
    "created_at, updated_at",
    "taggings": "id, tag_id, taggable_type, taggable_id, context, created_at",
    "messages": "id, content, message_type, private, sender_type, sender_id, account_id, inbox_id, "
    "conversation_id, created_at, updated_at",
    "reporting_events": "id, name, account_id, value, value_in_business_hours, inbox_id, user_id, "
    "conversation_id, event_start_time, event_end_time, created_at, updated_at",
}

_TAB = b"\t"
_CONTENTS = encoded(voice.content for voice in words.VOICES)
_MANNERS = encoded(f"\t{v.message_type}\t{v.private}\t" for v in words.VOICES)
_SENDER_TYPES = [NULL if v.sender_type is None else v.sender_type.encode() for v in words.VOICES]
_NAMES = encoded(words.EVENT_NAMES)


def _ids(values: Ints) -> Texts:
    """Integers; COPY reads leading zeros as such."""
    return numbers(values, 10)


def _ids_at(members: Ints, positions: Ints) -> Texts:
    """Ids of the members at the positions, NULL for -1."""
    return where(positions >= 0, _ids(members[np.maximum(positions, 0)]))


def _times(instants: Ints) -> Texts:
    return where(instants > 0, timestamps(instants, 6))


def conversation_rows(life: Life, labels: Labels, accounts: Accounts, kept: Ints) -> bytes:
    """Rows of ``conversations`` in their last state."""
    conversations = life.conversations
    return rows(
        fuse(
            _ids(conversations.ids[kept]), _TAB,
            _ids(accounts.ids[conversations.account[kept]]), _TAB,
            _ids(accounts.inboxes.ids[life.inbox[kept]]), _TAB, numbers(life.status[kept], 1), _TAB,
        ),
        _ids_at(accounts.agents.ids, life.assignee[kept]), _TAB,
        _ids_at(accounts.teams.ids, life.team[kept]), _TAB,
        fuse(_ids(life.contact_ids[kept]), _TAB, _ids(conversations.numbers[kept]), _TAB),
        pick(LABEL_LISTS, labels.lists[kept]), _TAB,
        _times(life.first_reply[kept]), _TAB, _times(life.waiting_since[kept]),
        fuse(
            _TAB, timestamps(life.last_activity[kept], 6),
            _TAB, timestamps(conversations.created[kept], 6),
            _TAB, timestamps(life.changed[kept], 6),
        ),
    )  # fmt: skip


def tagging_rows(ids: Ints, life: Life, labels: Labels) -> bytes:
    """Rows of ``taggings``."""
    conversation = labels.conversation
    return rows(
        _ids(ids), _TAB, _ids(labels.tag + 1), b"\tConversation\t",
        _ids(life.conversations.ids[conversation]), b"\tlabels\t",
        timestamps(life.changed[conversation], 6),
    )  # fmt: skip


def message_rows(
    ids: Ints, messages: Happenings, updated: Ints, life: Life, accounts: Accounts
) -> bytes:
    """Rows of ``messages``."""
    conversation, voice = messages.conversation, messages.what
    account = life.conversations.account[conversation]
    by_contact, by_bot = voice == words.CUSTOMER, np.isin(voice, (words.BOT, words.CAPTAIN))
    sender = np.select(
        [by_contact, by_bot, messages.agent >= 0],
        [
            life.contact_ids[conversation],
            accounts.ids[account],  # bots are numbered like their accounts
            accounts.agents.ids[np.maximum(messages.agent, 0)],
        ],
        0,
    )
    return rows(
        _ids(ids), _TAB, pick(_CONTENTS, voice), pick(_MANNERS, voice),
        pick(_SENDER_TYPES, voice), _TAB, where(sender > 0, _ids(sender)),
        fuse(
            _TAB, _ids(accounts.ids[account]),
            _TAB, _ids(accounts.inboxes.ids[life.inbox[conversation]]),
            _TAB, _ids(life.conversations.ids[conversation]),
            _TAB, timestamps(messages.at, 6), _TAB, timestamps(updated, 6),
        ),
    )  # fmt: skip


def event_rows(ids: Ints, stored: StoredEvents, life: Life, accounts: Accounts) -> bytes:
    """Rows of ``reporting_events``."""
    events = stored.events
    conversation = events.conversation
    created = timestamps(stored.created, 6)
    user = np.where(stored.has_user, events.agent, -1)
    return rows(
        _ids(ids), _TAB, pick(_NAMES, events.what),
        fuse(_TAB, _ids(accounts.ids[life.conversations.account[conversation]]), _TAB),
        where(stored.has_value, _ids(stored.seconds)), _TAB,
        where(stored.has_business_value, _ids(stored.business_seconds)), _TAB,
        where(stored.has_inbox, _ids(accounts.inboxes.ids[life.inbox[conversation]])), _TAB,
        _ids_at(accounts.agents.ids, user), _TAB,
        where(stored.has_conversation, _ids(life.conversations.ids[conversation])),
        fuse(
            _TAB, timestamps(events.since, 6), _TAB, timestamps(events.at, 6),
            _TAB, created, _TAB, created,
        ),
    )  # fmt: skip
