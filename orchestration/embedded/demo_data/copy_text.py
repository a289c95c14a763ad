"""Columns of bytes for ``COPY ... FROM STDIN`` in text format, built a whole column at a time.

A column is a numpy array of fixed-width byte strings (dtype ``S``) or a list of ``bytes``.
None of the texts holds a tab, a line break or a backslash, so nothing needs escaping.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.bytes_]
Ints = NDArray[np.int64]

NULL = b"\\N"
DAY_US = 86_400_000_000

_CUID = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", np.uint8)
_BASE64URL = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8
)


def cuids(rng: np.random.Generator, count: int) -> Texts:
    """Ids as the application makes them: 24 characters of a-z and 0-9, a letter first."""
    codes = rng.integers(0, 36, (count, 24), dtype=np.uint8)
    codes[:, 0] %= 26
    return _as_texts(_CUID[codes])


def provider_ids(rng: np.random.Generator, count: int) -> Texts:
    """Ids as SendGrid makes them: 22 characters of base64url."""
    return _as_texts(_BASE64URL[rng.integers(0, 64, (count, 22), dtype=np.uint8)])


def hex_ids(rng: np.random.Generator, count: int, width: int) -> Texts:
    """Random hexadecimal digits, ``width`` of them."""
    return _as_texts(_CUID[(rng.integers(0, 16, (count, width), dtype=np.uint8) + 26) % 36])


def _as_texts(codes: NDArray[np.uint8]) -> Texts:
    return np.ascontiguousarray(codes).view(f"S{codes.shape[1]}").ravel()


@lru_cache(maxsize=1)
def _date_table() -> NDArray[np.uint8]:
    days = np.arange("1970-01-01", "2101-01-01", dtype="datetime64[D]")
    return np.datetime_as_string(days).astype("S10").view(np.uint8).reshape(-1, 10)


@lru_cache(maxsize=1)
def _second_table() -> NDArray[np.uint8]:
    texts = [b"%02d:%02d:%02d" % (s // 3600, s // 60 % 60, s % 60) for s in range(86_400)]
    return np.array(texts, "S8").view(np.uint8).reshape(-1, 8)


@lru_cache(maxsize=1)
def _thousand_table() -> NDArray[np.uint8]:
    return np.array([b"%03d" % i for i in range(1000)], "S3").view(np.uint8).reshape(-1, 3)


def timestamps(micros: Ints, digits: int, between: bytes = b" ") -> Texts:
    """UTC instants as ``YYYY-MM-DD HH:MM:SS[.fff[fff]]``.

    ``micros`` are microseconds since 1970 (up to 2100), ``digits`` is 0, 3 or 6 places after
    the second, ``between`` stands between date and time.
    """
    days, rest = np.divmod(micros, DAY_US)
    seconds, fraction = np.divmod(rest, 1_000_000)
    out = np.empty((len(micros), 19 + (digits + 1 if digits else 0)), np.uint8)
    out[:, :10] = _date_table()[days]
    out[:, 10] = between[0]
    out[:, 11:19] = _second_table()[seconds]
    if digits:
        out[:, 19] = ord(".")
        out[:, 20:23] = _thousand_table()[fraction // 1000]
    if digits == 6:
        out[:, 23:26] = _thousand_table()[fraction % 1000]
    return _as_texts(out)


def numbers(values: Ints, width: int) -> Texts:
    """Whole numbers from 0, padded with zeros to ``width`` digits."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return _as_texts(digits)


def fuse(*parts: bytes | Texts) -> Texts:
    """Join columns of constant width and constants into one column, row by row.

    Every text of a column must fill its width (numpy strips what is shorter).
    """
    count = next(len(part) for part in parts if not isinstance(part, bytes))
    pieces = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (count, len(part)))
        if isinstance(part, bytes)
        else np.ascontiguousarray(part).view(np.uint8).reshape(count, part.dtype.itemsize)
        for part in parts
    ]
    return _as_texts(np.hstack(pieces))


def where(mask: NDArray[np.bool_], texts: Texts, otherwise: bytes = NULL) -> Texts:
    """``texts`` where ``mask`` holds, NULL (or ``otherwise``) elsewhere."""
    return np.where(mask, texts, np.bytes_(otherwise))


def pick(choices: Sequence[bytes], index: NDArray[Any]) -> list[bytes]:
    """The chosen text for every row; texts may differ in length."""
    table = np.empty(len(choices), object)
    table[:] = choices
    return table[index].tolist()


def encoded(texts: Iterable[str]) -> list[bytes]:
    """The texts as UTF-8 bytes."""
    return [text.encode() for text in texts]


def rows(*columns: bytes | Texts | list[bytes]) -> bytes:
    """All rows in COPY text format: columns (or constants) follow each other, tabs included.

    The caller puts the tabs between columns; the line break is added here.
    """
    count = next(len(column) for column in columns if not isinstance(column, bytes))
    lists: list[Sequence[bytes]] = []
    for column in columns:
        if isinstance(column, bytes):
            lists.append([column] * count)
        else:
            lists.append(column if isinstance(column, list) else column.tolist())
    return b"".join(chain.from_iterable(zip(*lists, [b"\n"] * count, strict=True)))
