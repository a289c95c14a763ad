"""Generated pages follow from the code, and the README shows what there is."""

from __future__ import annotations

import re
import subprocess
import sys

from orchestration.settings import PROJECT_ROOT


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
