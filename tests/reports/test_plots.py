"""``rollups report ... --plot``: the numbers of an answer as a picture."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestration.reports import Reports
from orchestration.settings import PROJECT_ROOT
from tests.cli.conftest import Rollups
from tests.support.warehouse import SupportWarehouse

DAYS = ("2025-10-27", "2025-11-03")
SERIES = (
    "report", "timeseries", "--tenant", "1", "--metric", "resolutions_count",
    "--from", "2025-10-27", "--to", "2025-11-02",
)  # fmt: skip
SUMMARY = (
    "report", "summary", "--tenant", "1", "--from", "2025-10-27", "--to", "2025-11-02",
    "--dimension", "agent",
)  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def rollups(
    helpdesk: SupportWarehouse, test_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Rollups:
    """The command on the small helpdesk, without a terminal of its own."""
    monkeypatch.delenv("COLUMNS", raising=False)
    return Rollups(test_home, helpdesk.url)


def ask(rollups: Rollups, *arguments: str) -> subprocess.CompletedProcess[str]:
    return rollups(*arguments, FAMILIES="support")


def texts(picture: Path) -> list[str]:
    """What is written in a picture."""
    return [
        "".join(text.itertext()).strip() for text in ElementTree.parse(picture).iter(SVG + "text")
    ]


def test_a_series_is_drawn_instead_of_the_table(rollups: Rollups, reports: Reports) -> None:
    drawn = ask(rollups, *SERIES, "--plot")
    assert (drawn.returncode, drawn.stderr) == (0, "")
    first, *rest = drawn.stdout.splitlines()
    assert first.strip() == "resolutions_count of 1 (times in America/New_York)"
    assert "2025-10-27" in rest[-1]
    assert "\x1b" not in drawn.stdout
    assert "bucket" not in drawn.stdout
    assert sum(line.count("●") for line in rest) == len(
        reports.timeseries("resolutions_count", *DAYS)
    )


def test_periods_that_may_grow_look_different(rollups: Rollups) -> None:
    ahead = ("--from", "2025-10-27", "--to", "2100-01-01", "--by", "year")
    drawn = ask(rollups, *SERIES[:6], *ahead, "--plot")
    assert "○ not complete yet" in drawn.stdout
    assert drawn.stderr.startswith("not complete: days that have not ended")


def test_a_terminal_sets_the_width_and_has_colours(rollups: Rollups) -> None:
    parent, child = os.openpty()
    with subprocess.Popen(
        rollups.command(*SERIES, "--plot"), cwd=PROJECT_ROOT, stdout=child, stdin=child,
        env=rollups.environment(FAMILIES="support") | {"COLUMNS": "64"},
    ):  # fmt: skip
        os.close(child)
        said = bytearray()
        # Linux tells the end of a terminal as an error.
        try:
            while more := os.read(parent, 65_536):
                said += more
        except OSError:
            os.close(parent)
    assert b"\x1b[" in said
    assert "●".encode() in said


def test_a_summary_is_bars_by_metric(rollups: Rollups, reports: Reports, tmp_path: Path) -> None:
    picture = tmp_path / "agents.svg"
    drawn = ask(rollups, *SUMMARY, "--plot", str(picture))
    assert (drawn.returncode, drawn.stdout) == (0, "")
    assert drawn.stderr == f"{picture} written\n"
    summary = reports.summary(*DAYS, dimension="agent")
    assert {*summary["metric"], *summary["name"]} <= {*texts(picture)}
    in_terminal = ask(rollups, *SUMMARY, "--plot").stdout
    assert all(metric in in_terminal for metric in summary["metric"])
    assert "▇" in in_terminal


def test_a_picture_has_the_days_and_is_the_same_twice(rollups: Rollups, tmp_path: Path) -> None:
    first, second, image = (tmp_path / name for name in ("1.svg", "2.svg", "3.PNG"))
    for picture in (first, second):
        assert ask(rollups, *SERIES, "--plot", str(picture)).returncode == 0
    # A document goes on being one when a picture is written beside it.
    document = rollups.json(*SERIES, f"--plot={image}", FAMILIES="support")
    assert len(document["rows"]) == 7
    assert first.read_bytes() == second.read_bytes()
    assert "2025-10-27" in texts(first)
    assert image.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--plot", "week.pdf"), "--plot week.pdf: the name of a picture ends with .png or .svg"),
        (("--plot", "nowhere/week.svg"), "--plot nowhere/week.svg: there is no folder nowhere"),
        (("--plot", "--json"), "--plot draws instead of the table: leave --json and --format out"),
        (("--plot", "--format", "csv"), "leave --json and --format out"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    rollups: Rollups, arguments: tuple[str, ...], says: str
) -> None:
    ended = ask(rollups, *SERIES, *arguments)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_without_matplotlib_the_fix_is_named(
    rollups: Rollups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python does with a module that is not there.
    hidden = "import sys\nsys.modules['matplotlib'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = ask(rollups, *SERIES, "--plot", str(tmp_path / "week.svg"))
    assert ended.returncode == 2
    assert "needs matplotlib: run `make venv ARGS=--dev`" in ended.stderr
    assert ask(rollups, *SERIES, "--plot").returncode == 0
