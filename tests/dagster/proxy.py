"""The nginx of operations/nginx before a webserver, on a port of this machine."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path

from orchestration.settings import PROJECT_ROOT
from tests.dagster_server import free_port, wait_until

CONFIG = PROJECT_ROOT / "operations" / "nginx" / "rollups.conf"
USER, PASSWORD = "ann", "of ann"
AS_ANN = {"Authorization": "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
WEB_SOCKET = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": b64encode(b"0123456789abcdef").decode(),
    "Sec-WebSocket-Protocol": "graphql-ws",
}  # fmt: skip
MAIN = """
user {user};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    include {folder}/rollups.conf;
}}
"""


def nginx() -> str | None:
    """Debian puts it where only an administrator's PATH looks."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


class Proxy:
    """Asks as a browser does."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(certificate))

    def status(self, path: str, headers: dict[str, str]) -> int:
        """Status of the answer."""
        connection = HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def proxy_before(address: str, program: str, folder: Path) -> Iterator[Proxy]:
    """nginx with the shipped configuration, but for addresses and paths."""
    port = free_port()
    certificate, key, users = (folder / name for name in ("cert.pem", "key.pem", "users"))
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rollups",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
    )  # fmt: skip
    users.write_text(f"{USER}:{_openssl('passwd', '-apr1', PASSWORD)}")
    text = CONFIG.read_text(encoding="utf-8")
    for shipped, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/certs/rollups.pem": str(certificate),
        "/etc/ssl/private/rollups.key": str(key),
        "auth_basic_user_file /etc/nginx/rollups.users;": f"auth_basic_user_file {users};",
        "proxy_pass http://127.0.0.1:3000;": f"proxy_pass {address};",
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    (folder / "rollups.conf").write_text(text)
    main = folder / "nginx.conf"
    user = "root" if os.geteuid() == 0 else "nobody"
    main.write_text(MAIN.format(folder=folder, user=user))
    process = subprocess.Popen([program, "-c", str(main)], stderr=subprocess.DEVNULL)
    try:
        wait_until((folder / "pid").exists, 20, f"nginx, see {folder}/error.log")
        yield Proxy(port, certificate)
    finally:
        process.terminate()
        process.wait(20)


def _openssl(*arguments: str) -> str:
    ended = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return ended.stdout
