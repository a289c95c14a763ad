"""The read model for Python: ``Reports`` asks the functions of schema ``report``."""

from __future__ import annotations

from orchestration.reports.reports import Reports

__all__ = ["Reports"]
