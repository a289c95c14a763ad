"""Rules of this repository that no linter knows. Each message names the file and the line."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "orchestration"
LOCKS = {name: ROOT / name for name in ("requirements.lock", "requirements-dev.lock")}

FILE_LINES = 400
FUNCTION_LINES = 60

# Written in pieces, so that this file does not break its own rule.
MACHINE_BOUND = {
    "a path of one machine": r"(?<![\w.$}>-])/(?:root|work)" + "/",
    "a package index": "--(?:extra-)?index" + "-url|--find" + "-links",
    "a private registry": r"(?:artifactory|devpi|jfrog|nexus)[\w.-]*\." + r"[a-z]{2,}/",
}

SQL = re.compile(
    r"\s*(?:select\s.+\sfrom\s|insert\s+into\s|update\s.+\sset\s|delete\s+from\s|truncate\s"
    r"|merge\s+into\s|with\s+\w+\s+as\s*\("
    r"|(?:create|alter|drop|grant|revoke)\s.*\b(?:table|view|schema|role|index|on)\s)",
    re.IGNORECASE | re.DOTALL,
)
SQL_ROOMS = ("warehouse", "embedded", "reports", "cli")

# What a room must not import: an arrow upward.
FORBIDDEN_IMPORTS = {
    "warehouse": ("dagster", "typer", "orchestration.cli"),
    "embedded": ("dagster", "typer", "orchestration.cli"),
    "reports": ("dagster", "typer", "orchestration.cli"),
    "settings.py": ("dagster", "orchestration.warehouse", "orchestration.embedded"),
    "errors.py": ("dagster", "orchestration"),
}


@cache
def project_files() -> tuple[Path, ...]:
    """Files that are, or will be, in the repository; without git, all but hidden folders."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        visible = (path for path in ROOT.iterdir() if not path.name.startswith("."))
        paths = [file for path in visible for file in (path, *path.rglob("*"))]
    return tuple(sorted({path for path in paths if path.is_file()}))


def python_files() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".py"]


def code_files(room: str = "") -> list[Path]:
    return [path for path in python_files() if path.is_relative_to(CODE / room)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def listed(found: Iterable[str]) -> str:
    return "\n" + "\n".join(sorted(found))


def text_of(path: Path) -> str:
    """The text of a file, empty for an image or another binary."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


# -- Nothing of one machine -------------------------------------------------------------------


@pytest.mark.parametrize("what", MACHINE_BOUND)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(MACHINE_BOUND[what])
    found = [
        at(path, number)
        for path in project_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, listed(found)


# -- Locked requirements ----------------------------------------------------------------------


def locked(name: str) -> dict[str, list[Requirement]]:
    """Pins of a lock file by package; one package may have a pin for each kind of Python."""
    pins: dict[str, list[Requirement]] = {}
    for line in LOCKS[name].read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            pin = Requirement(line.rstrip(" \\"))
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def declared(group: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime: list[str] = project["project"]["dependencies"]
    dev: list[str] = project["dependency-groups"]["dev"]
    return [Requirement(line) for line in (runtime if group == "requirements.lock" else dev)]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_pins_with_hashes_and_nothing_else(lock: str) -> None:
    text = LOCKS[lock].read_text()
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        assert re.match(r"[\w.-]+==\S+( ; [^\\]+)? \\\n    --hash=sha256:", entry), entry[:80]
    assert "//" not in text
    assert re.findall(r"^(?![A-Za-z0-9]|    --hash=sha256:[0-9a-f]{64}|    #).+", text, re.M) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_satisfies_what_pyproject_asks(lock: str) -> None:
    pins = locked(lock)
    for requirement in declared(lock):
        versions = [
            specifier.version
            for pin in pins.get(canonicalize_name(requirement.name), [])
            for specifier in pin.specifier
        ]
        assert versions, f"{requirement.name} is not in {lock}: run make lock"
        for version in versions:
            assert requirement.specifier.contains(version), f"{requirement}, {version}: make lock"


def test_dev_lock_repeats_the_runtime_lock() -> None:
    runtime, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: dev.get(name) for name in runtime} == runtime


# -- Size and shape of Python -----------------------------------------------------------------


def test_python_files_are_short() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in python_files()}
    found = [at(path, lines) for path, lines in lengths.items() if lines > FILE_LINES]
    assert not found, listed(found)


def test_functions_are_short() -> None:
    found = [
        f"{at(path, node.lineno)} {node.name}"
        for path in python_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    assert not found, listed(found)


@pytest.mark.parametrize("script", ["bootstrap.py", "environment.py"])
def test_bootstrap_can_be_read_by_an_old_python(script: str) -> None:
    path = ROOT / "scripts" / script
    ast.parse(path.read_text(), filename=script, feature_version=(3, 6))
    assert "from __future__ import annotations" not in path.read_text(), "unknown to Python 3.6"


# -- Layers -----------------------------------------------------------------------------------


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Full names of imported modules, and of names imported from them, with their lines."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(ROOT).parts[: -node.level]
                base = ".".join([*package, *filter(None, [node.module])])
            yield base, node.lineno
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def is_within(module: str, package: str) -> bool:
    """Whether a module belongs to a package; dagster_dbt and its like belong to dagster."""
    return module == package or module.startswith((f"{package}.", f"{package}_"))


@pytest.mark.parametrize("room", FORBIDDEN_IMPORTS)
def test_imports_do_not_go_upward(room: str) -> None:
    found = {
        f"{at(path, line)} imports {module}"
        for path in code_files(room)
        for module, line in imported(path)
        for package in FORBIDDEN_IMPORTS[room]
        if is_within(module, package)
    }
    assert not found, listed(found)


# -- SQL --------------------------------------------------------------------------------------


def docstrings(module: ast.Module) -> set[int]:
    """Ids of string nodes that are statements of their own, so docstrings."""
    return {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}


def strings(path: Path) -> Iterator[tuple[str, int]]:
    module = parsed(path)
    skipped = docstrings(module)
    for node in ast.walk(module):
        if id(node) in skipped or not isinstance(node, ast.Constant):
            continue
        if isinstance(node.value, str):
            yield node.value, node.lineno


def test_no_sql_outside_its_rooms() -> None:
    found = [
        f"{at(path, line)} {text.strip()[:40]!r}"
        for path in code_files()
        if path.relative_to(CODE).parts[0] not in SQL_ROOMS
        for text, line in strings(path)
        if SQL.match(text)
    ]
    assert not found, listed(found)


@pytest.mark.parametrize(
    ("text", "is_sql"),
    [
        ("select 1 from t", True),
        ("  INSERT INTO t values (1)", True),
        ("update ops.config set value = 1", True),
        ("with x as (select 1)", True),
        ("create or replace view v as", True),
        ("Select partitions, then launch the backfill", False),
        ("Update the zone of a tenant", False),
        ("with a bar", False),
    ],
)
def test_the_sql_rule_knows_sql_from_prose(text: str, is_sql: bool) -> None:
    assert bool(SQL.match(text)) is is_sql


def test_dbt_takes_no_vars() -> None:
    """Vars are pasted into SQL as text; scope and settings travel in tables (ops.*)."""
    found = [
        at(path, number)
        for path in project_files()
        if path.is_relative_to(ROOT / "dbt_project") and path.suffix in {".sql", ".yml"}
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if re.search(r"\bvar\s*\(", line)
    ]
    assert not found, listed(found)


def test_views_over_large_tables_can_be_joined_by_index() -> None:
    """PostgreSQL plans a view with a WITH by itself: a join with it would read the whole table."""
    models = ROOT / "dbt_project" / "models"
    large = [
        path
        for path in (
            *models.glob("staging/*/stg_*.sql"),
            *models.glob("intermediate/*/*_events.sql"),
        )
        # read on its own, and one small row a tenant
        if not path.stem.endswith(("__arrivals", "__tenants"))
        and "incremental" not in text_of(path)
    ]
    assert len(large) > 15
    found = [str(path) for path in large if re.search(r"^\s*with\b", text_of(path), re.M)]
    assert not found, listed(found)
