"""The errors a person can meet. Each message is one line that names the value and the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class RollupsError(Exception):
    """Base of every error that is reported as one line, without a traceback."""

    exit_code = 1


class SettingsError(RollupsError):
    """A ``ROLLUPS_`` environment variable has a value we cannot use."""

    exit_code = 2


class InputError(RollupsError):
    """A command argument or a partition key was refused before anything was written."""

    exit_code = 2


class DatabaseError(RollupsError):
    """PostgreSQL cannot be reached, refuses us, or lacks a right we need."""

    exit_code = 3


class SourceContractError(RollupsError):
    """The source tables lack a table, a column, a type or a right that the models read."""

    exit_code = 4


class RefreshError(RollupsError):
    """A refresh did not complete; its work stays pending and the next refresh does it.

    ``results`` are dbt's node results when models or tests failed, else empty.
    """

    exit_code = 5

    def __init__(self, message: str, results: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.results = results


class DeliveryError(RollupsError):
    """A message could not be delivered; it is tried again."""
