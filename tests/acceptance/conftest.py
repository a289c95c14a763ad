"""Which acceptance tests there are depends on the files that the command line names."""

from __future__ import annotations

from pathlib import Path

import pytest


def cases_file(config: pytest.Config) -> Path | None:
    """The file of support cases to run: ``--cases``, else the examples under ``--shared``."""
    given: Path | None = config.getoption("--cases")
    if given is not None and not given.is_file():
        raise pytest.UsageError(f"--cases {given}: there is no such file")
    shared: Path | None = config.getoption("--shared")
    if given is None and shared is not None:
        return shared / "cases" / "support_examples.json"
    return given


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without a file of cases there are no cases to collect."""
    return True if collection_path.name == "test_cases.py" and not cases_file(config) else None
