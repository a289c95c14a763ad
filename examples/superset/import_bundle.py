#!/usr/bin/env python3
"""Import the dashboards into a running Superset. Needs nothing but Python.

    python import_bundle.py --superset http://127.0.0.1:8088 --user admin \\
        --database 'postgresql+psycopg2://dashboards:password@db.example.com:5432/app'

``--database`` is how Superset reaches the rollups; its login needs the role rollups_reader. May be
run again: what has the same id is replaced.
"""

from __future__ import annotations

import argparse
import getpass
import http.cookiejar
import io
import json
import os
import re
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

BUNDLE = Path(__file__).resolve().parent / "bundle"
DATABASE = "databases/rollups.yaml"
URI = re.compile(r"sqlalchemy_uri:")
BOUNDARY = "a-boundary-of-the-bundle"


class Superset:
    """A session of Superset's API."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address.rstrip("/")
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._headers = {"Referer": self._address}
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        token = self.json("security/login", login)["access_token"]
        self._headers["Authorization"] = f"Bearer {token}"
        self._headers["X-CSRFToken"] = self.json("security/csrf_token/")["result"]

    def json(self, path: str, document: Any = None) -> Any:
        """The answer to a GET, or to a POST of a document."""
        body = None if document is None else json.dumps(document).encode()
        return json.loads(self.send(path, body, "application/json"))

    def send(self, path: str, body: bytes | None, kind: str) -> bytes:
        """The body of the answer; raises ``SystemExit`` with what Superset says."""
        headers = self._headers | ({"Content-Type": kind} if body else {})
        request = urllib.request.Request(f"{self._address}/api/v1/{path}", body, headers)
        try:
            with self._opener.open(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            sys.exit(f"{self._address} answers {error.code} to {path}: {said[:2000]}")
        except urllib.error.URLError as error:
            sys.exit(f"{self._address} cannot be reached: {error.reason}")


def split_password(url: str) -> tuple[str, str]:
    """The URL without its password, and the password."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgresql") or not parts.hostname:
        sys.exit("--database: write postgresql+psycopg2://user:password@host:5432/database")
    bare = re.sub(r":[^:@]*@", ":XXXXXXXXXX@" if parts.password else "@", parts.netloc)
    return urlunsplit(parts._replace(netloc=bare)), unquote(parts.password or "")


def packed(database: str) -> bytes:
    """The bundle as the archive that Superset imports, with the address of the database in it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(BUNDLE.rglob("*.yaml")):
            name, text = path.relative_to(BUNDLE).as_posix(), path.read_text(encoding="utf-8")
            if name == DATABASE:
                lines = text.splitlines(keepends=True)
                address = f"sqlalchemy_uri: {json.dumps(database)}\n"
                text = "".join(address if URI.match(line) else line for line in lines)
            target.writestr(f"rollups/{name}", text)
    return archive.getvalue()


def form(archive: bytes, passwords: dict[str, str]) -> bytes:
    """Archive and passwords as a form with a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    return b"".join(
        [
            f'{head}passwords"\r\n\r\n{json.dumps(passwords)}\r\n'.encode(),
            f'{head}bundle"; filename="rollups.zip"\r\n'.encode(),
            b"Content-Type: application/zip\r\n\r\n" + archive,
            f"\r\n--{BOUNDARY}--\r\n".encode(),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Import the dashboards into a running Superset.")
    parser.add_argument("--superset", required=True, help="its address: http://127.0.0.1:8088")
    parser.add_argument("--user", required=True, help="a user of Superset who may import")
    parser.add_argument("--database", required=True, help="URL at which Superset finds the rollups")
    asked = parser.parse_args()
    bare, database_password = split_password(asked.database)
    password = os.environ.get("SUPERSET_PASSWORD") or getpass.getpass(f"Password of {asked.user}: ")
    superset = Superset(asked.superset, asked.user, password)
    body = form(packed(bare), {DATABASE: database_password} if database_password else {})
    superset.send("assets/import/", body, f"multipart/form-data; boundary={BOUNDARY}")
    for path in sorted((BUNDLE / "dashboards").glob("*.yaml")):
        print(f"{asked.superset.rstrip('/')}/superset/dashboard/{path.stem.replace('_', '-')}/")


if __name__ == "__main__":
    main()
