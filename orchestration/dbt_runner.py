"""Runs dbt inside this process, on a manifest that is parsed once and kept.

dbt is a program of its own: this module turns a command into a list of node results and knows
nothing of what the models mean.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from orchestration.errors import RefreshError
from orchestration.garbage_collection import without_collection
from orchestration.settings import DBT_PROJECT_DIR, Settings

_PARSED_FOLDERS = ("models", "macros", "seeds", "tests", "snapshots", "analyses")
_RESULT_EVENTS = ("LogModelResult", "LogTestResult", "LogSeedResult")
_PARSED_FILES = ("dbt_project.yml", "selectors.yml", "profiles.yml")
# manifest.json comes last: where it is, the others are.
_KEPT_FILES = ("partial_parse.msgpack", "semantic_manifest.json", "manifest.json")


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node; ``seconds`` is execution time, ``failures`` a test's rows."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    message: str
    failures: int | None

    @property
    def succeeded(self) -> bool:
        return self.status in ("success", "pass", "warn")


NodeListener = Callable[[str, int, int], None]
"""Called with (node name, nodes done, nodes in all) as nodes finish."""


class DbtProject:
    """The dbt project and its parsed manifest, kept in ``home/dbt`` by the hash of its files."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.home / "dbt" / self._content_hash()

    @property
    def content_hash(self) -> str:
        """Changes whenever a file of the project, dbt's version or the source schema does."""
        return self._folder.name

    @property
    def manifest_path(self) -> Path:
        """``manifest.json`` of the current project files; parsed when it is not there yet."""
        path = self._folder / "manifest.json"
        if not path.exists():
            self._parse()
        return path

    @property
    def semantic_manifest_path(self) -> Path:
        """The semantic layer's own manifest, for MetricFlow."""
        return self.manifest_path.with_name("semantic_manifest.json")

    def run(
        self, arguments: Sequence[str], *, on_node: NodeListener | None = None
    ) -> list[NodeResult]:
        """Run a dbt command such as ``["build", "--selector", "rollups"]``.

        Connects where libpq's environment says. Raises ``RefreshError`` when dbt cannot run at
        all; nodes that fail are results, not errors.
        """
        outcome = self._invoke([*arguments, "--threads", str(self._settings.threads)], on_node)
        results = getattr(outcome.result, "results", None) or []
        return [_node_result(result) for result in results]

    def warm_up(self) -> None:
        """Load all that a command needs, and run nothing. Neither connects nor starts a thread.

        dbt makes the readers of its own formats when they are first used, which takes a process
        longer than all that dbt itself does in a refresh. Processes forked from this one have them.
        """
        self._invoke(["list", "--select", "tag:nothing_has_this_tag"])

    def _invoke(self, arguments: Sequence[str], on_node: NodeListener | None = None) -> Any:
        from dbt.cli.main import dbtRunner

        with (
            without_collection(),
            _environment(self._settings),
            _without_stack_walks(),
            tempfile.TemporaryDirectory(prefix="rollups-dbt-") as target,
        ):
            outcome = dbtRunner(
                manifest=self._load_manifest(), callbacks=[_node_callback(on_node)]
            ).invoke([*arguments, *self._global_flags(), "--target-path", target])
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        if outcome.exception is not None:
            reason = " ".join(str(outcome.exception).split()) or type(outcome.exception).__name__
            raise RefreshError(f"dbt {arguments[0]}: {reason}")
        return outcome

    def _global_flags(self) -> list[str]:
        return [
            "--project-dir", str(DBT_PROJECT_DIR),
            "--profiles-dir", str(DBT_PROJECT_DIR),
            "--log-path", str(self._settings.home / "logs"),
            "--quiet", "--no-print", "--no-use-colors", "--no-write-json",
            "--cache-selected-only",
        ]  # fmt: skip

    def _load_manifest(self) -> Any:
        from dbt.contracts.graph.manifest import Manifest

        path = self._folder / "partial_parse.msgpack"
        if not path.exists():
            self._parse()
        manifest = Manifest.from_msgpack(path.read_bytes())
        _retarget(manifest, os.environ.get("PGDATABASE", "rollups"))
        return manifest

    def _parse(self) -> None:
        from dbt.cli.main import dbtRunner

        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder.parent / "parse.lock"):
            if (self._folder / "manifest.json").exists():
                return
            with (
                _environment(self._settings),
                tempfile.TemporaryDirectory(dir=self._folder.parent, prefix="parse-") as target,
            ):
                outcome = dbtRunner().invoke(
                    [
                        "parse",
                        "--project-dir",
                        str(DBT_PROJECT_DIR),
                        "--profiles-dir",
                        str(DBT_PROJECT_DIR),
                        "--target-path",
                        target,
                        "--log-path",
                        str(self._settings.home / "logs"),
                        "--quiet",
                    ]
                )
                if not outcome.success:
                    raise RefreshError(f"dbt parse: {outcome.exception}")
                self._folder.mkdir(exist_ok=True)
                for name in _KEPT_FILES:
                    os.replace(Path(target) / name, self._folder / name)

    def _content_hash(self) -> str:
        digest = hashlib.sha256()
        digest.update(version("dbt-core").encode())
        digest.update(version("dbt-postgres").encode())
        for value in project_environment(self._settings).values():
            digest.update(f"{value}\n".encode())
        files = [DBT_PROJECT_DIR / name for name in _PARSED_FILES]
        for folder in _PARSED_FOLDERS:
            files += sorted(
                path for path in (DBT_PROJECT_DIR / folder).rglob("*") if path.is_file()
            )
        for path in files:
            digest.update(str(path.relative_to(DBT_PROJECT_DIR)).encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def dbt_project(settings: Settings) -> DbtProject:
    """The dbt project of these settings."""
    return DbtProject(settings)


def project_environment(settings: Settings) -> dict[str, str]:
    """What the dbt project reads from the environment."""
    return {
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "ROLLUPS_FAMILIES": ",".join(settings.families),
        "ROLLUPS_OUTREACH_SCHEMA": settings.outreach_schema,
        "ROLLUPS_SUPPORT_SCHEMA": settings.support_schema,
    }


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    # Only while dbt runs: this process has settings of its own.
    changes = project_environment(settings)
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _without_stack_walks() -> Iterator[None]:
    # For each of its behaviour flags dbt walks the stack to name the caller in a message that is
    # never shown here; below Dagster or a test runner that takes longer than all the rest.
    from dbt_common.behavior_flags import BehaviorFlagRendered

    walk = BehaviorFlagRendered._default_source
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters.postgres.impl")
    try:
        yield
    finally:
        BehaviorFlagRendered._default_source = staticmethod(walk)


def _retarget(manifest: Any, database: str) -> None:
    """A manifest names the database it was parsed for; the project is the same in every one."""
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if node.relation_name and node.database != database:
            node.relation_name = node.relation_name.replace(
                f'"{node.database}"', f'"{database}"', 1
            )
        node.database = database


def _node_result(result: Any) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        name=result.node.name,
        resource_type=str(result.node.resource_type),
        status=str(result.status),
        seconds=float(result.execution_time or 0),
        message=" ".join(str(result.message or "").split()),
        failures=result.failures,
    )


def _node_callback(on_node: NodeListener | None) -> Callable[[Any], None]:
    progress = {"done": 0}

    def listen(event: Any) -> None:
        if on_node is None or event.info.name not in _RESULT_EVENTS:
            return
        progress["done"] += 1
        total = event.data.num_models if event.info.name == "LogTestResult" else event.data.total
        on_node(event.data.node_info.node_name, progress["done"], int(total))

    return listen
