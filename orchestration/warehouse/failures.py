"""What to do about an error of PostgreSQL, in a few words."""

from __future__ import annotations

_ADVICE = {
    "lock timeout": "another session holds a lock on it: end that session, or set"
    " ROLLUPS_LOCK_TIMEOUT_SECONDS to wait longer",
    "statement timeout": "set ROLLUPS_STATEMENT_TIMEOUT_SECONDS to allow more time",
    "No space left on device": "free space on the database server's disk",
    "File too large": "raise the limit on file sizes of the database server",
    "Disk quota exceeded": "raise the disk quota of the database server",
    "too many clients": "free a connection or raise max_connections",
    "too many connections": "free a connection or raise the connection limit",
    "connection slots": "free a connection or raise max_connections",
    "due to administrator command": "somebody ended the session, run it again",
    "connection unexpectedly": "the server ended the session, run it again",
    "Connection timed out": "the network to the database fell silent, run it again",
    "timeout expired": "the network to the database fell silent, run it again",
}


def advice(message: str) -> str | None:
    """What helps against an error with this message; ``None`` when it has to speak for itself."""
    return next((fix for words, fix in _ADVICE.items() if words in message), None)


def with_advice(message: str) -> str:
    """The message and, where we know any, its remedy."""
    fix = advice(message)
    return message if fix is None else f"{message}: {fix}"


def error_alone(message: str) -> str:
    """dbt's message on one line without where its code lay and how deep the server was in it."""
    for mark in (" CONTEXT: ", " compiled code at "):
        message = message.partition(mark)[0]
    return message
