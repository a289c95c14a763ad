"""Holding an answer against the one that a case expects: a line for every difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isclose
from typing import Any

TOLERANCE = 1e-9


def mismatches(expected: Any, actual: Any, where: str = "") -> list[str]:
    """Where two answers differ. Numbers may differ by the tolerance, nothing else may.

    A mapping whose keys are not all expected is a difference too.
    """
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        lines = [f"{where}.{key}: missing" for key in expected if key not in actual]
        lines += [f"{where}.{key}: surplus" for key in actual if key not in expected]
        for key in expected:
            if key in actual:
                lines += mismatches(expected[key], actual[key], f"{where}.{key}")
        return lines
    if _is_list(expected) and _is_list(actual):
        if len(expected) != len(actual):
            return [f"{where}: expected {list(expected)}, has {list(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for n, pair in pairs for line in mismatches(*pair, f"{where}[{n}]")]
    if _same(expected, actual):
        return []
    return [f"{where or 'answer'}: expected {expected!r}, has {actual!r}"]


def only(keys: Sequence[str] | Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without the columns that nobody asked for."""
    return {key: row[key] for key in keys if key in row}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _same(expected: Any, actual: Any) -> bool:
    if _is_number(expected) and _is_number(actual):
        return isclose(float(expected), float(actual), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(expected) is type(actual) and expected == actual


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
