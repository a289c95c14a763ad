#!/usr/bin/env python3
"""Run one of the project's commands, in an environment made when it is needed.

    python3 scripts/bootstrap.py {venv,demo,test,soak,replay,lint,format,bench,docs,lock,...} [...]

Standard library only. Whatever ``python3`` is (3.6 or newer), it can run this file; ``.venv`` is
then made with a Python that the locked packages support. So: no syntax and no library call newer
than Python 3.6 in here.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from environment import (
    DEV_LOCK,
    LAUNCHER,
    OLDEST,
    PYTHON,
    ROOT,
    RUNTIME_LOCK,
    VENV,
    BootstrapError,
    ensure_environment,
    find_uv,
    run_step,
    say,
)

CACHES = [".pytest_cache", ".ruff_cache", ".hypothesis", ".artifacts", "build", "dist", "logs"]
CACHES += ["dbt_project/target", "dbt_project/logs", "site"]


def run_tool(*command: str) -> None:
    """Become this command, in the environment; its exit code is ours."""
    os.chdir(str(ROOT))
    sys.stdout.flush()
    os.execve(command[0], list(command), _environ())


def _environ() -> dict:
    environ = dict(os.environ, VIRTUAL_ENV=str(VENV))
    environ["PATH"] = str(VENV / "bin") + os.pathsep + os.environ.get("PATH", os.defpath)
    environ["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"  # it would ask the network for a newer one
    return environ


def venv(args: "list[str]") -> None:
    """Make the environment in .venv; ARGS=--dev: with matplotlib, Jupyter's kernel, all tools."""
    ensure_environment(dev="--dev" in args)
    say("Environment ready: .venv/bin/rollups --help")


def demo(args: "list[str]") -> None:
    """Sample data, first refresh and the Dagster UI on http://127.0.0.1:3000 (Ctrl-C ends it)."""
    ensure_environment()
    run_tool(str(LAUNCHER), "demo", *args)


def test(args: "list[str]") -> None:
    """Run the test suite, some files at a time; arguments go to pytest (ARGS="-n 0": one)."""
    ensure_environment(dev=True)
    side_by_side = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
    side_by_side += ["--no-loadscope-reorder"]  # tests/conftest.py has an order
    run_tool(str(PYTHON), "-m", "pytest", *side_by_side, *args)


def soak(args: "list[str]") -> None:
    """Look for rare histories and orders of steps, 30 minutes a test; ARGS="--soak=MINUTES"."""
    ensure_environment(dev=True)
    places = ["tests/property", "tests/concurrency"]
    run_tool(str(PYTHON), "-m", "pytest", "-s", "-o", "timeout=0", "--soak=30", *places, *args)


def replay(args: "list[str]") -> None:
    """Replay recorded event logs and cases: ARGS="--shared=FOLDER" and/or "--cases=FILE"."""
    ensure_environment(dev=True)
    run_tool(str(PYTHON), "-m", "pytest", "tests/acceptance", *args)


def lint(args: "list[str]") -> None:
    """Check style, types, SQL and the rules of the repository."""
    ensure_environment(dev=True)
    failed = _run_all(
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["pyright", "--pythonpath", str(PYTHON)],
        ["sqlfluff", "lint", "--disable-progress-bar", "dbt_project"],
        ["pytest", "-q", "tests/unit/test_project_rules.py"],
    )
    if failed:
        raise BootstrapError(f"lint: {', '.join(failed)} (many are put right by: make format)")


def format(args: "list[str]") -> None:
    """Put style and layout right where a tool can."""
    ensure_environment(dev=True)
    _run_all(
        ["ruff", "check", "--fix-only"],
        ["ruff", "format"],
        ["sqlfluff", "fix", "--disable-progress-bar", "dbt_project"],
    )


def _run_all(*tools: "list[str]") -> "list[str]":
    """Run each tool as a module of the environment; return the names of those that failed."""
    failed = []
    for tool in tools:
        name = " ".join(part for part in tool[:2] if part.isalpha())
        say(f"--- {name}")
        started = time.monotonic()
        code = subprocess.call([str(PYTHON), "-m", *tool], cwd=str(ROOT), env=_environ())
        say(f"--- {name}: {'failed' if code else 'ok'}, {time.monotonic() - started:.1f} s\n")
        if code:
            failed.append(name)
    return failed


def bench(args: "list[str]") -> None:
    """Run the benchmarks; each prints a table."""
    ensure_environment(dev=True)
    run_tool(str(PYTHON), "-m", "benchmarks", *args)


def docs(args: "list[str]") -> None:
    """Write the generated pages of docs/, and all docs as HTML to open from disk (site/)."""
    ensure_environment(dev=True)
    pages = [str(PYTHON), str(ROOT / "scripts" / "build_docs.py"), *args]
    if subprocess.call(pages, cwd=str(ROOT), env=_environ()):
        raise BootstrapError("docs: nothing was written")
    run_tool(str(PYTHON), str(ROOT / "scripts" / "build_site.py"))


def lock(args: "list[str]") -> None:
    """Write both lock files anew from pyproject.toml (needs uv; --upgrade takes newer versions)."""
    uv = find_uv()
    if uv is None:
        raise BootstrapError("lock: needs uv on the PATH (pip install uv)")
    command = [uv, "pip", "compile", "pyproject.toml", "--generate-hashes", "--universal"]
    command += ["--python-version", f"{OLDEST[0]}.{OLDEST[1]}", "--no-emit-index-url"]
    command += ["--no-header", *args]
    run_step(RUNTIME_LOCK.name, [*command, "-o", RUNTIME_LOCK.name])
    dev_only = ["--group", "dev", "-c", RUNTIME_LOCK.name, "-o", DEV_LOCK.name]
    run_step(DEV_LOCK.name, command + dev_only)


def clean(args: "list[str]") -> None:
    """Stop the embedded server and remove .venv, .rollups and all caches."""
    home = ROOT / ".rollups"
    data = _data_folders(home)
    leftovers = [VENV, *data, *(ROOT / name for name in CACHES), *ROOT.glob("*.egg-info")]
    leftovers = [folder for folder in leftovers if folder.exists()]
    for folder in leftovers:
        if not os.access(str(folder), os.W_OK):
            raise BootstrapError(f"clean: {folder} belongs to another user: run this as its owner")
    if home.exists() and LAUNCHER.exists():
        environ = {k: v for k, v in _environ().items() if not k.startswith("ROLLUPS_")}
        subprocess.call([str(LAUNCHER), "db", "stop"], cwd=str(ROOT), env=environ)
    for folder in data:
        for pid_file in folder.rglob("postmaster.pid"):
            pid = pid_file.read_text().split("\n")[0]
            if _is_postgres(pid):
                raise BootstrapError(f"clean: PostgreSQL still runs (process {pid}): stop it first")
    for folder in leftovers:
        shutil.rmtree(str(folder))
    for folder in list(ROOT.rglob("__pycache__")):
        shutil.rmtree(str(folder))
    say("Removed the environment, the demo's data and all caches.")
    elsewhere = os.environ.get("ROLLUPS_HOME")
    if elsewhere and Path(elsewhere).resolve() != home:
        say(f"Left alone: {elsewhere} (ROLLUPS_HOME)")


def _data_folders(home: Path) -> "list[Path]":
    """The demo's folder, and the one below /var that holds root's data if that had to move."""
    folders = [home]
    with contextlib.suppress(OSError):
        moved = Path((home / "postgres" / "location").read_text().rstrip("\n"))
        if (moved / "home").read_text().rstrip("\n") == str(home / "postgres"):
            folders.append(moved)
    return folders


def _is_postgres(pid: str) -> bool:
    try:
        command = Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        if Path("/proc/self").exists():
            return False
        listing = ["ps", "-p", pid, "-o", "command="]
        command = subprocess.run(listing, check=False, stdout=subprocess.PIPE).stdout
    return b"postgres" in command


def help(args: "list[str]") -> None:
    """Show this list."""
    say("make <command> [ARGS='...']\n")
    for command in COMMANDS.values():
        say(f"  {command.__name__:7} {command.__doc__}")


COMMANDS = {
    command.__name__: command
    for command in (venv, demo, test, soak, replay, lint, format, bench, docs, lock, clean, help)
}


def main() -> int:
    name, *args = sys.argv[1:] or ["help"]
    if name not in COMMANDS:
        say(f"{name}: unknown; use one of {', '.join(COMMANDS)}")
        return 2
    try:
        COMMANDS[name](args)
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error.filename} belongs to another user", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
