"""When conversations begin, and in which account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from orchestration.embedded.demo_data.copy_text import Ints
from orchestration.embedded.demo_data.rhythm import Rhythm


@dataclass(frozen=True)
class Conversations:
    """In order of creation, the ids run from 1.

    ``account``: position. ``created``: microseconds since 1970, UTC. ``numbers``: as the account
    counts them (``display_id``).
    """

    ids: Ints
    account: Ints
    created: Ints
    numbers: Ints

    def chunks(self, size: int) -> Iterator[Conversations]:
        """Slices of the given size."""
        for first in range(0, len(self.ids), size):
            part = slice(first, first + size)
            yield Conversations(*(getattr(self, column.name)[part] for column in fields(self)))


def plan_conversations(
    rng: np.random.Generator, sizes: list[int], zones: Ints, rhythm: Rhythm
) -> Conversations:
    """As many as ``sizes`` says for each account, whose people live in ``zones``."""
    account = np.repeat(np.arange(len(sizes)), sizes)
    created = rhythm.at(zones[account], rng.random(len(account)))
    created = np.minimum(created, rhythm.end - 1)
    order = np.argsort(created, kind="stable")
    account = account[order]
    numbers = np.empty_like(account)
    first = np.cumsum(sizes) - sizes
    numbers[np.argsort(account, kind="stable")] = (
        np.arange(len(account)) - np.repeat(first, sizes) + 1
    )
    return Conversations(np.arange(1, len(account) + 1), account, created[order], numbers)
