"""All rows of some conversations, from their creation to the last event, as COPY text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
from psycopg import sql

from orchestration.embedded.demo_data.copy_text import Ints, timestamps
from orchestration.embedded.demo_data.family import Chunk
from orchestration.embedded.demo_data.plan import DemoDataPlan
from orchestration.embedded.demo_data.rhythm import SECOND, Rhythm, office_hours
from orchestration.embedded.demo_data.support import table_rows
from orchestration.embedded.demo_data.support.accounts import plan_accounts
from orchestration.embedded.demo_data.support.arrival import store
from orchestration.embedded.demo_data.support.conversations import (
    Conversations,
    plan_conversations,
)
from orchestration.embedded.demo_data.support.fixed_rows import as_text, fixed_rows
from orchestration.embedded.demo_data.support.labels import draw_labels
from orchestration.embedded.demo_data.support.life import Happenings, Life
from orchestration.embedded.demo_data.support.rates import USUAL_RATES
from orchestration.embedded.demo_data.support.vocabulary import DELIVERED, TAGS

_CONVERSATIONS_PER_CHUNK = 10_000


class Generator:
    """Makes the rows of a plan chunk by chunk."""

    def __init__(self, plan: DemoDataPlan) -> None:
        self._start, self._end = plan.period_in_micros()
        self.total = plan.conversations
        self._seed = plan.seed
        self._accounts = plan_accounts(plan)
        homes = [account.home for account in self._accounts.accounts]
        zones = list(dict.fromkeys(homes))
        self._zones: Ints = np.array([zones.index(home) for home in homes])
        self._rhythm = Rhythm(zones, self._start, self._end)
        self._office = Rhythm(zones, self._start, self._end, office_hours)

    @property
    def timezones(self) -> dict[str, str | None]:
        """Zone of each account as its settings have it."""
        return {str(account.id): account.zone for account in self._accounts.accounts}

    def chunks(self) -> Iterator[Chunk]:
        """What is there from the start, the conversations by creation, then the tags."""
        yield self._fixed()
        sizes = [account.conversations for account in self._accounts.accounts]
        rng = np.random.default_rng([self._seed, 3])
        conversations = plan_conversations(rng, sizes, self._zones, self._rhythm)
        rows: dict[str, int] = dict.fromkeys(("taggings", "messages", "reporting_events"), 0)
        uses = np.zeros(len(TAGS), np.int64)
        for position, part in enumerate(conversations.chunks(_CONVERSATIONS_PER_CHUNK)):
            chunk, tags = self._chunk(part, position, rows)
            for table in rows:
                rows[table] += chunk.rows[table]
            uses += np.bincount(tags, minlength=len(TAGS))
            yield chunk
        tags = [(i, tag, int(uses[i - 1])) for i, tag in enumerate(TAGS, 1)]
        yield Chunk({"tags": as_text(tags)}, {"tags": len(tags)}, 0)

    def settle(self, connection: psycopg.Connection) -> None:
        """Let the next id of each table follow the last one, as if the rows had been inserted."""
        for table in table_rows.COLUMNS:
            connection.execute(
                sql.SQL("select setval(pg_get_serial_sequence({}, 'id'), max(id)) from {}").format(
                    sql.Literal(table), sql.Identifier(table)
                )
            )

    def _fixed(self) -> Chunk:
        at = timestamps(np.array([self._start]), 6)[0]
        found = fixed_rows(self._accounts)
        text = {table: as_text(some, at, at) for table, some in found.items()}
        return Chunk(text, {table: len(some) for table, some in found.items()}, 0)

    def _chunk(
        self, part: Conversations, position: int, before: dict[str, int]
    ) -> tuple[Chunk, Ints]:
        """The rows, and the tag of each tagging; ``before`` counts the rows of earlier chunks."""
        rng = np.random.default_rng([self._seed, 4, position])
        accounts, rates, count = self._accounts, USUAL_RATES, len(part.ids)
        life = Life(rng, part, accounts, self._zones, self._rhythm, rates)
        events, messages = life.run()
        stored = store(rng, events, life, accounts, self._zones, self._rhythm, self._office, rates)
        is_there = rng.random(count) >= rates.deleted
        kept = np.flatnonzero(is_there)
        labels = draw_labels(rng, count, kept, rates)
        messages = self._in_order(messages, is_there)
        updated = self._updated(rng, messages)
        counts = {
            "taggings": len(labels.tag),
            "messages": len(messages.at),
            "reporting_events": len(stored.created),
        }
        ids = {table: np.arange(1, n + 1) + before[table] for table, n in counts.items()}
        text = {
            "conversations": table_rows.conversation_rows(life, labels, accounts, kept),
            "taggings": table_rows.tagging_rows(ids["taggings"], life, labels),
            "messages": table_rows.message_rows(ids["messages"], messages, updated, life, accounts),
            "reporting_events": table_rows.event_rows(
                ids["reporting_events"], stored, life, accounts
            ),
        }
        return Chunk(text, {"conversations": len(kept), **counts}, count), labels.tag

    def _in_order(self, messages: Happenings, is_there: np.ndarray) -> Happenings:
        """The messages that were written, and not deleted with their conversation."""
        order = np.argsort(messages.at, kind="stable")
        kept = (messages.at < self._end) & is_there[messages.conversation]
        return messages.take(order[kept[order]])

    def _updated(self, rng: np.random.Generator, messages: Happenings) -> Ints:
        """When the messages last changed: what goes out is marked as delivered and as read."""
        wait = rng.exponential(300.0 * SECOND, len(messages.at)).astype(np.int64)
        updated = messages.at + np.where(np.isin(messages.what, DELIVERED), wait, 0)
        return np.where(updated < self._end, updated, messages.at)
