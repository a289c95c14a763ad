#!/usr/bin/env python3
"""Try the imported dashboards in a running Superset, and take the pictures of docs/images.

    python scripts/superset_pictures.py --superset http://127.0.0.1:8088 --user admin

Every metric of every dataset and every chart is asked through Superset's API, and every dashboard
opened in a browser; an error or an empty answer ends it with exit code 1. Password:
SUPERSET_PASSWORD. A Superset to try it with, in an environment of its own (6.1 at the last try):

    pip install apache-superset rich cachetools "flask-caching<2.4" psycopg2-binary
    export FLASK_APP="superset.app:create_app()" SUPERSET_SECRET_KEY=any-long-text
    superset db upgrade && superset fab create-admin && superset init && superset run -p 8088
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "superset")]

from import_bundle import BUNDLE, Superset  # noqa: E402  (after the path is set)

from scripts.browser import launched  # noqa: E402  (as above)

IMAGES = ROOT / "docs" / "images"
PATIENCE_MS = 60_000
# What Superset shows in place of a chart that has no answer, or a wrong one.
ERRORS = ".ant-alert-error, [data-test='error-boundary'], .chart-error-message, .error-panel"
LOADING = "[data-test='loading-indicator'], .loading"


def ask_every_chart(superset: Superset) -> int:
    """Number of charts of the bundle that answered with rows; raises ``SystemExit`` at a fault."""
    uuids = {
        yaml.safe_load(path.read_text(encoding="utf-8"))["uuid"]: path.stem
        for path in sorted((BUNDLE / "charts").rglob("*.yaml"))
    }
    charts = superset.json("chart/?q=(page_size:200)")["result"]
    known = {chart["uuid"]: chart for chart in charts}
    for uuid, name in uuids.items():
        if uuid not in known:
            sys.exit(f"{name}: is not in this Superset; run examples/superset/import_bundle.py")
        answer: Any = superset.json(f"chart/{known[uuid]['id']}/data/?force=true")["result"][0]
        if answer["error"] or not answer["data"]:
            sys.exit(f"{name}: {answer['error'] or 'no rows'}")
        print(f"{name}: {answer['rowcount']} rows")
    return len(uuids)


def ask_every_metric(superset: Superset) -> int:
    """Number of metrics of the bundle's datasets that can be computed."""
    found = superset.json("dataset/?q=(page_size:200)")["result"]
    ids = {dataset["uuid"]: dataset["id"] for dataset in found}
    asked = 0
    for path in sorted((BUNDLE / "datasets").rglob("*.yaml")):
        dataset = yaml.safe_load(path.read_text(encoding="utf-8"))
        metrics = [metric["metric_name"] for metric in dataset["metrics"]]
        query = {"metrics": metrics, "columns": ["tenant_name"], "row_limit": 10}
        source = {"id": ids[dataset["uuid"]], "type": "table"}
        answer = superset.json("chart/data", {"datasource": source, "queries": [query]})
        result = answer["result"][0]
        if result["error"] or set(result["data"][0]) != {"tenant_name", *metrics}:
            sys.exit(f"{path.stem}: {result['error'] or 'not all metrics'}")
        asked += len(metrics)
    return asked


def photograph(page: Page, address: str, slug: str) -> None:
    """A picture of a whole dashboard, once all its charts are there."""
    page.goto(f"{address}/superset/dashboard/{slug}/?standalone=1")
    page.wait_for_selector("[data-test='dashboard-component-chart-holder'], .chart-slice")
    page.wait_for_function(
        "() => document.querySelectorAll('.chart-slice').length > 0"
        f" && document.querySelectorAll({json.dumps(LOADING)}).length === 0"
    )
    page.wait_for_timeout(2_500)
    faults = page.locator(ERRORS)
    if faults.count():
        sys.exit(f"{slug}: {faults.first.inner_text()}")
    page.screenshot(path=IMAGES / f"superset-{slug}.png", full_page=True)
    print(f"docs/images/superset-{slug}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--superset", required=True, help="its address: http://127.0.0.1:8088")
    parser.add_argument("--user", required=True)
    asked = parser.parse_args()
    password = os.environ.get("SUPERSET_PASSWORD")
    if not password:
        sys.exit("put the password of that user into SUPERSET_PASSWORD")
    address = asked.superset.rstrip("/")
    superset = Superset(address, asked.user, password)
    print(f"{ask_every_metric(superset)} metrics answer")
    print(f"{ask_every_chart(superset)} charts answer")
    with sync_playwright() as playwright, launched(playwright) as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/login/")
        page.fill("input[name=username], #username", asked.user)
        page.fill("input[name=password], #password", password)
        page.press("input[name=password], #password", "Enter")
        page.wait_for_url("**/superset/welcome/**")
        for path in sorted((BUNDLE / "dashboards").glob("*.yaml")):
            photograph(page, address, path.stem.replace("_", "-"))


if __name__ == "__main__":
    main()
