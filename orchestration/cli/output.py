"""What a command says: its result on stdout, steps and notes on stderr, questions to a person."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

FIRST_WORD_SECONDS = 3.0
HEARTBEAT_SECONDS = 10.0
_WIDTH_OF_A_FILE = 200


class DeclinedError(InputError):
    """A person was asked and said no."""

    exit_code = 1


class Step:
    """A long step under way; ``advance`` tells how far it is."""

    def __init__(self, show: Callable[[int, int, str], None]) -> None:
        self._show = show

    def advance(self, done: int, total: int, what: str = "") -> None:
        """``done`` of ``total`` pieces are done; ``what`` is the last one."""
        self._show(done, total, what)


class Output:
    """The output of one command, as text for people or as one JSON document."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def result(self, document: Any, say: Callable[[], object]) -> None:
        """Print the document as JSON, or let ``say`` tell it to a person."""
        if self.as_json:
            print(json.dumps(document, default=_plain, ensure_ascii=False, indent=2))
        else:
            say()

    def line(self, text: str) -> None:
        """A line of the result."""
        print(text)

    def note(self, text: str) -> None:
        """A line beside the result, on stderr."""
        print(text, file=sys.stderr, flush=True)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
    ) -> None:
        """A table of the result; columns whose name starts with ``>`` are set to the right."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(
                column.lstrip(">"),
                justify="right" if column.startswith(">") else "left",
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        _console(sys.stdout).print(table)

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """A long step with its progress and elapsed time on stderr."""
        started = time.monotonic()
        with _live(text) if sys.stderr.isatty() else _lines(text) as step:
            yield step
        self.note(f"{text}: {time.monotonic() - started:.1f} s")

    def confirm(self, question: str, yes: bool) -> None:
        """Go on only if a person agrees; without a terminal and without ``yes`` refuse."""
        self.require_answerable(yes)
        if not yes and not typer.confirm(question, err=True):
            raise DeclinedError("nothing was done")

    def require_answerable(self, yes: bool) -> None:
        """Raise ``InputError`` if this command would ask and nobody can answer."""
        if not yes and not sys.stdin.isatty():
            raise InputError(
                "this asks before it acts and there is no terminal to ask on: add --yes"
            )


@contextmanager
def _lines(text: str) -> Iterator[Step]:
    """Into a file or a pipe: a line when the step takes a while, and one now and then."""
    started = time.monotonic()
    latest = ""
    ended = threading.Event()

    def show(done: int, total: int, what: str) -> None:
        nonlocal latest
        latest = f", {done:,} of {total:,} {what}".rstrip()

    def say() -> None:
        wait = FIRST_WORD_SECONDS
        while not ended.wait(wait):
            elapsed = time.monotonic() - started
            print(f"{text} ... {elapsed:.0f} s{latest}", file=sys.stderr, flush=True)
            wait = HEARTBEAT_SECONDS

    speaker = threading.Thread(target=say, daemon=True)
    speaker.start()
    try:
        yield Step(show)
    finally:
        ended.set()
        speaker.join()


@contextmanager
def _live(text: str) -> Iterator[Step]:
    """On a terminal: a line with a bar once the total is known."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        console=_console(sys.stderr),
        transient=True,
    ) as progress:
        task = progress.add_task(text, total=None, count="", what="")

        def show(done: int, total: int, what: str) -> None:
            progress.update(
                task, completed=done, total=total, count=f"{done:,}/{total:,}", what=what[:40]
            )

        yield Step(show)


def _console(file: Any) -> Console:
    from rich.console import Console

    width = None if file.isatty() else _WIDTH_OF_A_FILE
    return Console(file=file, width=width, highlight=False, markup=False)


def shown(value: object) -> str:
    """A cell of a table: ``-`` for nothing, thousands apart, times to the minute.

    Numbers have the digits a person compares: counts none, rates four, durations one.
    """
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        digits = 0 if value.is_integer() else 4 if abs(value) < 1 else 1
        return f"{value:,.{digits}f}"
    if hasattr(value, "astimezone"):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def duration(seconds: float | None) -> str:
    """A span of time in the largest unit that fits: ``45 s``, ``12 min``, ``3 h``, ``4 d``."""
    if seconds is None:
        return "-"
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def count(number: int, noun: str) -> str:
    """``1 tenant``, ``2 tenants``, ``3 days``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
