"""Both families with sample data, refreshed, and an analyst's login on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.warehouse.connection import connect
from orchestration.warehouse.logins import set_up_logins
from orchestration.warehouse.roles import READER
from tests.cli.conftest import Rollups


@dataclass(frozen=True)
class Sample:
    """The command as the owner uses it, and the URL of somebody who may only read."""

    rollups: Rollups
    analyst: str

    @property
    def url(self) -> str:
        return self.rollups.url


@pytest.fixture(scope="session")
def sample(
    new_database: Callable[..., str], new_login: Callable[..., str], test_home: Path
) -> Sample:
    """Three weeks up to now."""
    rollups = Rollups(test_home, new_database())
    for command in (("demo-data", "--yes", "--days=21", "--messages=3000"), ("refresh",)):
        ended = rollups(*command, FAMILIES="outreach,support")
        assert ended.returncode == 0, ended.stderr
    analyst = new_login(rollups.url, "analyst", [READER])
    with connect(rollups.url) as connection:
        assert set_up_logins(connection) == []
    return Sample(rollups, analyst)
