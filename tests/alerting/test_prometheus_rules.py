"""The shipped alert rules, tried by Prometheus' own tool."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from orchestration.settings import PROJECT_ROOT

RULES = PROJECT_ROOT / "operations" / "prometheus"


def test_rules_fire_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here (it comes with Prometheus)")
    ended = subprocess.run(
        [promtool, "test", "rules", "rollups_test.yml"],
        cwd=RULES, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_rule_has_a_place_in_the_runbook() -> None:
    runbook = (PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    headings = {
        line.lstrip("# ").strip().lower().replace(" ", "-")
        for line in runbook.splitlines()
        if line.startswith("#")
    }
    rules = (RULES / "rollups.rules.yml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"docs/runbook\.md#([\w-]+)", rules))
    assert wanted
    assert wanted <= headings
