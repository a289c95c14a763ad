"""Every text that a command takes, replaced by every attack: refused in one line, or plain data."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestration.cli import main
from orchestration.cli.application import application
from tests.hostile.attacks import ATTACKS, NOT_UTF8, NUL
from tests.hostile.canary import Canary
from tests.outreach.warehouse import OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

MOST_SHOWN = 3_000
TEXTS = {**ATTACKS, "not_utf8": NOT_UTF8, "nul": NUL}

# A sound value of every argument, by the name of its parameter.
OUTREACH = {
    "family": "outreach", "tenant": "acme", "tenants": "acme", "contact": "ann",
    "zone": "Asia/Tokyo", "role": "rollups_tenant_reader", "metric": "sends",
    "since": "2026-03-10", "until": "2026-03-11", "date_from": "2026-03-10",
    "date_to": "2026-03-11", "bucket": "2026-03-10", "by": "day", "dimension": "tenant",
    "id": "acme", "timezone": "UTC", "source": "auto", "shape": "json", "path": "metrics.prom",
    "days": "1", "messages": "1", "seed": "1", "page": "1", "per_page": "10", "account": "1",
}  # fmt: skip
SUPPORT = OUTREACH | {
    "family": "support", "tenant": "1", "tenants": "1", "metric": "resolutions_count",
    "dimension": "inbox", "id": "11",
}  # fmt: skip

# A kind of parameter that many commands have gets every attack once, and each of them a few.
SPREAD = 12

# Any text may be the name of a file or the id of a member: one that nobody has counts nothing.
TAKES_ANY_TEXT = {"path", "id"}
TAKES_NUMBERS = {"page", "per_page"}
SUPPORT_ONLY = ("bot-metrics", "report")


@dataclass(frozen=True)
class Entry:
    """A parameter of a command."""

    command: tuple[str, ...]
    name: str

    def __str__(self) -> str:
        return f"{'_'.join(self.command)}-{self.name}"

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """The command line with a value for each parameter, and with every question answered."""
        parameters = COMMANDS[self.command].params
        options = [one for one in parameters if one.opts[0].startswith("--")]
        # `--plot` goes with a table alone: only an attack gives it.
        given = [one for one in options if not one.is_flag and one.name in values]
        valued = [f"{one.opts[0]}={values[one.name]}" for one in given]
        yes = ["--yes" for one in options if one.name == "yes"]
        places = [values[one.name] for one in parameters if one not in options]
        return [*self.command, *valued, *yes, *(["--", *places] if places else [])]


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group, by its words."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, each in command.commands.items():
        yield from commands(each, (*path, name))


# Put together once: that is most of what a call takes.
BUILT = typer.main.get_command(application)
COMMANDS = dict(commands(BUILT))
ENTRIES = [
    Entry(path, one.name)
    for path, command in COMMANDS.items()
    for one in command.params
    if not getattr(one, "is_flag", False)
]


def attacks_on(entries: list[Entry]) -> Iterator[tuple[Entry, str]]:
    """Every attack on each kind of parameter, spread over the commands that have it."""
    seen: dict[str, int] = {}
    for entry in entries:
        before = seen.setdefault(entry.name, 0)
        for place, name in enumerate(TEXTS):
            if before == 0 or place % SPREAD == before % SPREAD:
                yield entry, name
        seen[entry.name] += 1


class CommandLine:
    """``rollups`` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._output = output

    def __call__(self, arguments: list[str]) -> tuple[int, str]:
        """Exit code and stderr."""
        self._monkeypatch.setattr(sys, "argv", ["rollups", *arguments])
        code = main()
        return code, self._output.readouterr().err


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], in_folder: Path
) -> Iterator[CommandLine]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    monkeypatch.setattr("orchestration.cli.application.application", BUILT)
    yield CommandLine(monkeypatch, capsys)
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def wrong(entry: Entry, text: str, code: int, said: str) -> str | None:
    """What is not as it should be when a command ended like this."""
    if code == 0:
        sound = entry.name in TAKES_ANY_TEXT or (entry.name in TAKES_NUMBERS and text.isdecimal())
        return None if sound else "was taken"
    lines = said.splitlines()
    if code != 2:
        return f"exit code {code}: {said[-300:]}"
    if len(lines) != 1 or not lines[0].startswith("rollups: "):
        return f"not one line: {said[:300]!r}"
    if not lines[0].isprintable() or len(lines[0]) > MOST_SHOWN:
        return f"cannot be read: {said[:300]!r}"
    return None


def attack(
    entries: list[Entry], sound: Mapping[str, str], run: CommandLine, canary: Canary
) -> list[str]:
    """Attack parameters; what went wrong."""
    found = []
    for entry, name in attacks_on(entries):
        code, said = run(entry.arguments({**sound, entry.name: TEXTS[name]}))
        problem = wrong(entry, TEXTS[name], code, said)
        if problem:
            found.append(f"{entry} {name}: {problem}")
    canary.assert_untouched()
    return found


def test_commands_on_outreach(
    outreach_here: OutreachWarehouse,
    outreach_canary: Canary,
    use_settings: Callable[[str, str], None],
    command_line: CommandLine,
) -> None:
    use_settings(outreach_here.url, "outreach")
    entries = [entry for entry in ENTRIES if entry.command[0] not in SUPPORT_ONLY]
    entries += [Entry(("report", "timeseries"), name) for name in ("tenant", "metric", "id")]
    found = attack(entries, OUTREACH, command_line, outreach_canary)
    assert not found, "\n".join(found)
    assert outreach_here.differences() == []


def test_commands_on_support(
    support_here: SupportWarehouse,
    support_canary: Canary,
    use_settings: Callable[[str, str], None],
    command_line: CommandLine,
) -> None:
    use_settings(support_here.url, "support")
    entries = [
        entry
        for entry in ENTRIES
        if entry.command[0] in SUPPORT_ONLY or entry.name in ("tenant", "date_from")
        if entry.command != ("erase",)
    ]
    found = attack(entries, SUPPORT, command_line, support_canary)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "command", [path for path in COMMANDS if path[0] == "report"], ids=lambda path: path[-1]
)
def test_without_an_attack_a_report_answers(
    support_here: SupportWarehouse,
    use_settings: Callable[[str, str], None],
    command_line: CommandLine,
    command: tuple[str, ...],
) -> None:
    """So what is refused is refused because of the attack."""
    use_settings(support_here.url, "support")
    code, said = command_line(Entry(command, "").arguments(SUPPORT))
    assert code == 0, said
