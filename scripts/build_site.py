#!/usr/bin/env python3
"""Write ``site/``: the pages of docs/ as HTML, and dbt's own docs in one file. Opens from disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from dbt.task.docs import DOCS_INDEX_FILE_PATH
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from orchestration.dbt_runner import dbt_project  # noqa: E402  (after the path is set)
from orchestration.settings import Settings  # noqa: E402  (as above)

DOCS = ROOT / "docs"
DBT_PAGE = "models.html"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Rollups</title>
<style>{style}</style>
</head>
<body>
<nav><b>Rollups</b>{links}</nav>
<main>
{body}</main>
</body>
</html>
"""
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { margin: 0; display: flex; font: 16px/1.55 system-ui, sans-serif; }
nav { flex: 0 0 13rem; padding: 1.5rem; box-sizing: border-box; height: 100vh; overflow: auto;
  position: sticky; top: 0; border-right: 1px solid var(--line); }
nav a, nav b { display: block; padding: .15rem 0; }
main { padding: 0 2.5rem 4rem; min-width: 0; max-width: 64rem; }
a { color: #2a6fdb; text-decoration: none; }
nav a[aria-current] { font-weight: bold; }
h1, h2, h3 { line-height: 1.25; }
table { margin: 1rem 0; border-collapse: collapse; display: block; overflow-x: auto;
  font-size: .9rem; }
td, th { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
pre, code { background: var(--soft); border-radius: 3px; font-size: .9em; }
code { padding: .1em .25em; }
pre { padding: .8rem 1rem; overflow-x: auto; }
pre code { padding: 0; background: none; }
img { max-width: 100%; background: #fff; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; } }
"""


def pages() -> dict[str, Path]:
    """Source of every page by the name of its HTML file; the README comes first."""
    docs = {f"{path.stem}.html": path for path in sorted(DOCS.glob("*.md"))}
    return {"index.html": ROOT / "README.md", **docs}


def write_pages(site: Path) -> None:
    """The pages, each with links to all of them, and the files they show."""
    sources = pages()
    markdown = MarkdownIt("commonmark").enable("table")
    parsed = {name: markdown.parse(path.read_text("utf-8")) for name, path in sources.items()}
    titles = {name: _title(tokens) for name, tokens in parsed.items()} | {"index.html": "Overview"}
    for name, tokens in parsed.items():
        _point_to_html(tokens, sources[name].parent, sources, site)
        _name_headings(tokens)
        links = "".join(
            f'<a href="{to}"{" aria-current" if to == name else ""}>{escape(title)}</a>'
            for to, title in {**titles, DBT_PAGE: "Models and lineage"}.items()
        )
        body = markdown.renderer.render(tokens, markdown.options, {})
        page = PAGE.format(title=escape(titles[name]), style=STYLE, links=links, body=body)
        (site / name).write_text(page, encoding="utf-8")
    for path in DOCS.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            target = site / path.relative_to(DOCS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _title(tokens: list[Token]) -> str:
    place = next(number for number, token in enumerate(tokens) if token.type == "heading_open")
    return tokens[place + 1].content


def _name_headings(tokens: list[Token]) -> None:
    for heading, text in pairwise(tokens):
        if heading.type == "heading_open":
            words = re.sub(r"[^\w\- ]", "", text.content.lower())
            heading.attrSet("id", words.replace(" ", "-"))


def _point_to_html(tokens: list[Token], folder: Path, sources: dict[str, Path], site: Path) -> None:
    """Links to pages go to their HTML, to files of docs/ to the copies; others name the file."""
    html = {path.resolve(): name for name, path in sources.items()}
    for token in tokens:
        _point_to_html(token.children or [], folder, sources, site)
        attribute = {"link_open": "href", "image": "src"}.get(token.type)
        target = str(token.attrGet(attribute)) if attribute else ""
        if not attribute or re.match(r"[a-z]+:|#", target):
            continue
        path, _, fragment = target.partition("#")
        file = (folder / path).resolve()
        if file in html:
            new = html[file]
        elif file.is_relative_to(DOCS):
            new = file.relative_to(DOCS).as_posix()
        else:
            new = os.path.relpath(file, site)
        token.attrSet(attribute, f"{new}#{fragment}" if fragment else new)


def write_dbt_page(site: Path) -> None:
    """dbt's docs (models, columns, lineage, metrics, exposures) as one file.

    As ``dbt docs generate --static``, but with the types that the YAML says instead of a catalogue
    read from a database: none need be there, and no table be built.
    """
    manifest = dbt_project(Settings()).manifest_path.read_text(encoding="utf-8")
    # Where this was built is nobody's business.
    manifest = manifest.replace(str(ROOT), "")
    nodes = json.loads(manifest)
    catalog = {kind: {id: _catalogued(of) for id, of in nodes[kind].items()}
               for kind in ("nodes", "sources")}  # fmt: skip
    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    for place, text in (("MANIFEST", manifest), ("CATALOG", json.dumps(catalog))):
        page = page.replace(f'"{place}.JSON INLINE DATA"', text)
    (site / DBT_PAGE).write_text(page, encoding="utf-8")


def _catalogued(node: dict[str, Any]) -> dict[str, Any]:
    columns = {
        name: {"name": name, "type": column.get("data_type"), "index": place, "comment": None}
        for place, (name, column) in enumerate(node.get("columns", {}).items(), start=1)
    }
    of = {
        "type": node.get("config", {}).get("materialized", "source"),
        "schema": node["schema"],
        "name": node["name"],
        "owner": "",
    }
    return {"metadata": of, "columns": columns, "stats": {}, "unique_id": node["unique_id"]}


def build(site: Path) -> None:
    """Write all of it into an empty folder."""
    write_pages(site)
    write_dbt_page(site)


def main() -> None:
    site = ROOT / "site"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir()
    build(site)
    print(f"open {site / 'index.html'}")


if __name__ == "__main__":
    main()
