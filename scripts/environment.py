"""The environment in ``.venv``: which Python makes it, what goes in, whether it is ready.

Packages come from ``requirements.lock`` (everything that runs) or ``requirements-dev.lock`` (the
same and the tools): wheels only, checked by hash, with uv when it is on the PATH, else with pip.
Part of ``bootstrap.py``: standard library only, and no syntax or call newer than Python 3.6.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LAUNCHER = VENV / "bin" / "rollups"
STAMP = VENV / "rollups-environment.json"
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"

# dagster-dbt 0.29 does not install on Python 3.14.
OLDEST, BEYOND = (3, 11), (3, 14)

# A shell and a Python script in one: a "#!" line cannot hold a path with a space.
LAUNCHER_TEXT = """#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
import sys

from orchestration.cli import main

sys.exit(main())
"""


class BootstrapError(Exception):
    """Something a person has to put right; the message is one line that says what."""


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


# ---------------------------------------------------------------- long steps, with their progress


def run_step(title: str, command: "list[str]", **environ: str) -> None:
    """Run a quiet command, showing the seconds and the last line it said; its tail on failure."""
    started = time.monotonic()
    lines = []  # type: list[str]
    process = subprocess.Popen(
        command,
        cwd=str(ROOT),
        env=dict(os.environ, **environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
    )
    output = process.stdout or ()
    said = (line.rstrip() for line in output if line.strip() and "WARNING" not in line)
    reader = threading.Thread(target=lines.extend, args=(said,), daemon=True)
    reader.start()
    try:
        _show_progress(title, process, lines, started)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    reader.join(timeout=5)
    if process.returncode != 0:
        for line in lines[-20:]:
            say("    " + line)
        name = Path(command[0]).name
        raise BootstrapError(f"{title}: {name} ended with code {process.returncode} (see above)")
    say(f"  {title}: done in {time.monotonic() - started:.1f} s")


def _show_progress(
    title: str, process: "subprocess.Popen[str]", lines: "list[str]", started: float
) -> None:
    on_terminal = sys.stdout.isatty()
    every = 0.2 if on_terminal else 10.0
    while True:
        try:
            process.wait(timeout=every)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
            text = f"  {title}: {elapsed:.0f} s  {lines[-1].strip() if lines else ''}"
            if on_terminal:
                width = shutil.get_terminal_size().columns - 1
                print("\r" + text[:width].ljust(width), end="", flush=True)
            else:
                say(text[:120])
        else:
            if on_terminal:
                print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="")
            return


# -------------------------------------------------------------------------------- interpreters


def find_uv() -> "str | None":
    """The path of a uv that runs, or None."""
    uv = shutil.which("uv")
    if uv is None or subprocess.call([uv, "--version"], **_silent()) != 0:
        return None
    return uv


def find_python(with_pip: bool) -> "str | None":
    """A supported interpreter: the one running this if it fits, else the newest on the PATH.

    ``with_pip``: it must be able to make an environment with pip in it (Debian can lack that).
    """
    names = [f"python3.{minor}" for minor in range(BEYOND[1] - 1, OLDEST[1] - 1, -1)]
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/local/bin"]
    candidates = [getattr(sys, "_base_executable", None) or sys.executable]
    candidates += [os.path.join(folder, name) for name in names for folder in folders]
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and _fits(candidate, with_pip):
            return candidate
    return None


def _fits(python: str, with_pip: bool) -> bool:
    # Run it: a file called python3.12 may be the shim of a version manager that is not set up.
    probe = f"import sys, venv; sys.exit(not {OLDEST} <= sys.version_info[:2] < {BEYOND})"
    if with_pip:
        probe = "import ensurepip; " + probe
    return subprocess.call([python, "-c", probe], **_silent()) == 0


def _silent() -> dict:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


# ------------------------------------------------------------------------------- environment


def is_ready(dev: bool) -> bool:
    """Whether ``.venv`` was finished, here, from the lock files as they are now."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return (
        stamp["root"] == str(ROOT)
        and stamp["runtime"] == _digest(RUNTIME_LOCK)
        and (not dev or stamp["dev"] == _digest(DEV_LOCK))
        and os.access(str(PYTHON), os.X_OK)
        and LAUNCHER.exists()
        and _count_packages() >= stamp["packages"]
    )


def ensure_environment(dev: bool = False) -> None:
    """Make, complete or repair ``.venv``; nothing is done when it is ready."""
    if is_ready(dev):
        return
    if not os.access(str(ROOT), os.W_OK) or (VENV.exists() and not os.access(str(VENV), os.W_OK)):
        raise BootstrapError(
            f"{VENV} cannot be written by this user: remove it as its owner (make clean), "
            "or work in a copy of the project of your own"
        )
    with _only_one_at_a_time():
        if not is_ready(dev):
            _make_environment(dev)


def _make_environment(dev: bool) -> None:
    """Install the locked packages, then the project, then the stamp that says all is done."""
    try:
        stamp = json.loads(STAMP.read_text())
        STAMP.unlink()
    except (OSError, ValueError):
        stamp = {}
    dev = dev or bool(stamp.get("dev"))
    lock = DEV_LOCK if dev else RUNTIME_LOCK
    say(f"Environment .venv from {lock.name} (once; a minute or two)")
    uv = find_uv()
    usable = stamp.get("root") == str(ROOT) and os.access(str(PYTHON), os.X_OK)
    if not usable or (uv is None and not (_site_packages() / "pip").exists()):
        _create_venv(uv)
    if uv:
        command = [uv, "pip", "sync", "--python", str(PYTHON), "--compile-bytecode"]
        command += ["--require-hashes", "--only-binary", ":all:", lock.name]
        run_step("packages (uv)", command)
    else:
        command = [str(PYTHON), "-m", "pip", "install", "--no-compile", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--progress-bar", "off"]
        command += ["-r", lock.name]
        run_step("packages (pip)", command, PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
        compile_all = [str(PYTHON), "-m", "compileall", "-q", "-j", "0", str(_site_packages())]
        with contextlib.suppress(BootstrapError):  # some packages ship files for other Pythons
            run_step("bytecode", compile_all)
    _install_project()
    stamp = {
        "root": str(ROOT),
        "runtime": _digest(RUNTIME_LOCK),
        "dev": _digest(DEV_LOCK) if dev else None,
        "packages": _count_packages(),
    }
    STAMP.write_text(json.dumps(stamp, indent=1) + "\n")


def _create_venv(uv: "str | None") -> None:
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif VENV.exists():
        say("  .venv is unfinished, moved or broken: made anew")
        shutil.rmtree(str(VENV))
    wanted = f"{OLDEST[0]}.{OLDEST[1]} to {BEYOND[0]}.{BEYOND[1] - 1}"
    python = find_python(with_pip=uv is None)
    if uv:
        # Without a fitting interpreter uv looks for one of its own, and may fetch it.
        request = python or f">={OLDEST[0]}.{OLDEST[1]},<{BEYOND[0]}.{BEYOND[1]}"
        run_step("python", [uv, "venv", "--no-project", "--python", request, str(VENV)])
    elif python:
        run_step("python", [python, "-m", "venv", str(VENV)])
    elif find_python(with_pip=False):
        raise BootstrapError(
            "this Python lacks the modules venv and ensurepip: install them "
            "(Debian, Ubuntu: apt install python3-venv) or install uv"
        )
    else:
        raise BootstrapError(
            f"no Python {wanted} on the PATH (this is {sys.version.split()[0]}): install one, "
            "or name it: make venv PYTHON=/path/to/python3.11"
        )


def _install_project() -> None:
    """Make ``orchestration`` importable and write ``rollups``.

    In place of an editable install, which would fetch a build backend. The path is relative, so
    that spaces, letters of any alphabet and a moved folder do no harm.
    """
    site_packages = _site_packages()
    path = os.path.relpath(str(ROOT), str(site_packages))
    (site_packages / "rollups.pth").write_text(path + "\n")
    LAUNCHER.write_text(LAUNCHER_TEXT)
    LAUNCHER.chmod(0o755)


def _site_packages() -> Path:
    return next(VENV.glob("lib/python3.*/site-packages"), VENV / "lib")


def _count_packages() -> int:
    return sum(name.endswith(".dist-info") for name in os.listdir(str(_site_packages())))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def _only_one_at_a_time():
    """Hold a lock on the project's folder: two terminals may start at once."""
    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another command is making the environment: waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
