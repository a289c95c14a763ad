"""The code location of the Dagster tests, and a webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.dagster.conftest import filled, location, use_database

__all__ = ["filled", "location", "use_database"]


class Endpoint(HTTPServer):
    """A webhook that keeps what it is told, or refuses it."""

    def __init__(self, status: int = 200) -> None:
        self.received: list[dict[str, Any]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"json://user:secret@127.0.0.1:{self.server_port}/hook"


def serve(endpoint: Endpoint) -> Iterator[Endpoint]:
    thread = Thread(target=endpoint.serve_forever, daemon=True)
    thread.start()
    yield endpoint
    endpoint.shutdown()
    endpoint.server_close()
    thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    yield from serve(Endpoint())
