"""A running `rollups demo` and a real browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import PROJECT_ROOT
from scripts.browser import OPTIONS, browser_path

READY_SECONDS = 240


@dataclass(frozen=True)
class Demo:
    """Addresses of the UI and of the database of a running demo, and how long it took to start."""

    address: str
    database_url: str
    home: Path
    seconds: float


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; skips, saying why, where there is none."""
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium or Chrome found; name one in ROLLUPS_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1500, "height": 950})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.fixture(scope="session")
def demo(browser: Browser, open_folder: Path) -> Iterator[Demo]:
    """`rollups demo` in a home of its own, as a person would start it; Ctrl-C ends it."""
    home = open_folder / "demo home"
    port = _free_port()
    environment = os.environ | {"ROLLUPS_HOME": str(home), "ROLLUPS_WEB_PORT": str(port)}
    environment.pop("ROLLUPS_DATABASE_URL", None)
    log_path = open_folder / "demo.log"
    started = time.monotonic()
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "demo"],
            cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, address, log_path)
        seconds = time.monotonic() - started
        yield Demo(address, EmbeddedPostgres(home).url, home, seconds)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0, log_path.read_text()[-2000:]
    assert not EmbeddedPostgres(home).status().running


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log_path: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log_path.read_text()[-4000:]
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"not ready after {READY_SECONDS} s: {log_path.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
