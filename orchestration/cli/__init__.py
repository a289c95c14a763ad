"""The ``rollups`` command. Only this package reads arguments and writes to the terminal."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

INTERRUPTED = 130

# Signals that asked us to end. dbt turns a KeyboardInterrupt into an error of its own.
_received: list[int] = []


def main() -> int:
    """Run the command line in ``sys.argv`` and return its exit code; an error is one line."""
    from orchestration.cli.application import application
    from orchestration.written import require_text

    # A stopped terminal or service ends a command as Ctrl-C does: what is under way is put away.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        for argument in sys.argv[1:]:
            require_text("argument", argument)
        code = application(prog_name="rollups", standalone_mode=False) or 0
        return _report(KeyboardInterrupt()) if code == INTERRUPTED else code
    except (KeyboardInterrupt, Exception) as error:
        if os.environ.get("ROLLUPS_DEBUG", "").lower() in ("1", "true", "yes", "on"):
            raise
        return _report(error)


def was_interrupted() -> bool:
    """Whether Ctrl-C or a signal to end has arrived."""
    return bool(_received)


def _interrupt(number: int, frame: object) -> NoReturn:
    _received.append(number)
    raise KeyboardInterrupt


def _report(error: BaseException) -> int:
    """Say one line on stderr; the exit code for this error."""
    from orchestration.cli.errors import explain

    message, code = explain(error)
    print(f"rollups: {message}", file=sys.stderr)
    return code
