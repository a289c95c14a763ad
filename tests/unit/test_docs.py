"""Generated pages follow from the code, and the README shows what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from orchestration.settings import PROJECT_ROOT
from scripts.build_site import build


def test_generated_pages_are_up_to_date() -> None:
    completed = subprocess.run(
        [sys.executable, "scripts/build_docs.py", "--check"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (PROJECT_ROOT / "README.md", *(PROJECT_ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_link_of_the_site_opens_from_disk(tmp_path: Path) -> None:
    build(tmp_path)
    pages = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.glob("*.html")}
    models = pages.pop("models.html")
    assert '"semantic_model.rollups.tenant_day"' in models
    assert '"type": "numeric(20, 10)"' in models
    assert {"index.html", "metrics.html", "public-schema.html"} <= pages.keys()
    for name, page in pages.items():
        for target in re.findall(r'(?:href|src)="([^"#]+)', page):
            if not target.startswith("http"):
                assert (tmp_path / target).exists(), f"{name}: {target}"
        for anchor in re.findall(r'href="#([^"]+)"', page):
            assert f'id="{anchor}"' in page, f"{name}: {anchor}"


def test_a_script_takes_every_picture() -> None:
    scripts = "".join(path.read_text("utf-8") for path in (PROJECT_ROOT / "scripts").glob("*.py"))
    boards = (PROJECT_ROOT / "examples" / "superset" / "bundle" / "dashboards").glob("*.yaml")
    taken = {f"superset-{path.stem.replace('_', '-')}.png" for path in boards}
    for picture in (PROJECT_ROOT / "docs" / "images").iterdir():
        assert (
            picture.name in taken
            or f'"{picture.name}"' in scripts
            or (picture.name == "architecture.svg")
        ), picture.name
