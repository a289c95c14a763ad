"""What looks wrong with a family's numbers and refreshes, judged in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Trouble:
    """A finding of a check about a tenant (None: about the family)."""

    check_name: str
    tenant_id: str | None
    severity: Literal["warn", "error"]
    detail: str

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.detail}" if self.tenant_id else self.detail


def find_trouble(
    connection: psycopg.Connection, family: str, *, is_thorough: bool
) -> list[Trouble]:
    """What the quick checks find, or the thorough ones, which read whole tables."""
    cursor = connection.cursor(row_factory=class_row(Trouble))
    return cursor.execute(
        "select check_name, tenant_id, severity, detail from ops.trouble(%s, %s)"
        " order by check_name, tenant_id",
        [family, is_thorough],
    ).fetchall()
