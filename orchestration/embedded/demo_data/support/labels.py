"""Which labels the conversations carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.embedded.demo_data.copy_text import NULL, Ints, encoded
from orchestration.embedded.demo_data.support.rates import Rates
from orchestration.embedded.demo_data.support.vocabulary import TAGS

# Nothing, each tag alone, then each pair.
LABEL_LISTS = (
    NULL,
    *encoded(TAGS),
    *encoded(f"{one}, {other}" for one in TAGS for other in TAGS),
)


@dataclass(frozen=True)
class Labels:
    """``lists``: a position in ``LABEL_LISTS`` for every conversation of the chunk.

    ``conversation`` and ``tag`` are the same as taggings: positions in the chunk and in ``TAGS``.
    """

    lists: Ints
    conversation: Ints
    tag: Ints


def draw_labels(rng: np.random.Generator, count: int, kept: Ints, rates: Rates) -> Labels:
    """Labels for ``count`` conversations, of which only the ``kept`` ones are there."""
    labelled = kept[rng.random(len(kept)) < rates.labelled]
    first = (rng.random(len(labelled)) ** 2 * len(TAGS)).astype(np.int64)
    twice = rng.random(len(labelled)) < rates.labelled_twice
    second = (first + rng.integers(1, len(TAGS), len(labelled))) % len(TAGS)
    lists = np.zeros(count, np.int64)
    lists[labelled] = np.where(twice, 1 + len(TAGS) * (first + 1) + second, 1 + first)
    return Labels(
        lists,
        np.concatenate([labelled, labelled[twice]]),
        np.concatenate([first, second[twice]]),
    )
