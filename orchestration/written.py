"""What people write to us, read strictly."""

from __future__ import annotations

from datetime import date

from orchestration.errors import InputError


def written_date(text: str) -> date:
    """A date written YYYY-MM-DD, else ``ValueError``: Python itself takes 2026-W11-2 as well."""
    if len(text) != len("2025-03-31") or "W" in text:
        raise ValueError(f"{text[:40]!r} is no date")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date") from None


def require_text(what: str, text: str) -> None:
    """Raise ``InputError`` for what no text of PostgreSQL holds: NUL, or no UTF-8."""
    if "\0" in text or text.encode(errors="replace").decode() != text:
        raise InputError(f"{what} {text[:80]!r} is no text: write it in UTF-8, without NUL")
