"""Answers as pandas frames, of the types of the columns and not of the values that come."""

from __future__ import annotations

from typing import Any

import pandas as pd

from orchestration.reports.asking import Answer

BOOLEAN, BIGINT, INTEGER, DOUBLE, NUMERIC, DATE, TIMESTAMPTZ, JSONB = (
    16, 20, 23, 701, 1700, 1082, 1184, 3802,
)  # fmt: skip
_DTYPES = {
    BOOLEAN: "boolean",
    BIGINT: "Int64",
    INTEGER: "Int64",
    DOUBLE: "Float64",
    NUMERIC: "Float64",
}


def frame(answer: Answer, zone: str) -> pd.DataFrame:
    """One column per column of the answer, nullable; instants in ``zone``."""
    columns = {
        name: _series([row[place] for row in answer.rows], kind, zone)
        for place, (name, kind) in enumerate(zip(answer.columns, answer.types, strict=True))
    }
    return pd.DataFrame(columns)


def _series(values: list[Any], kind: int, zone: str) -> pd.Series:
    if kind == TIMESTAMPTZ:
        instants = pd.to_datetime(pd.Series(values, dtype="object"), utc=True)
        return instants.dt.as_unit("us").dt.tz_convert(zone)
    if kind == DATE:
        return pd.Series(values, dtype="datetime64[us]")
    if kind == JSONB:
        return pd.Series(values, dtype="object")
    if kind == NUMERIC:
        values = [None if value is None else float(value) for value in values]
    return pd.Series(values, dtype=_DTYPES.get(kind, "string"))
