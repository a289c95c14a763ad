"""Messages really arrive: at an HTTP endpoint and at a mail server of the test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from orchestration.alerting.alerts import Message
from orchestration.alerting.delivery import deliver
from orchestration.errors import DeliveryError, SettingsError
from tests.alerting.conftest import Endpoint, serve

MESSAGE = Message("Rollups: 1 new", "Alert: lost_refresh: outreach\n  What to do: wait")


@pytest.fixture
def broken_endpoint() -> Iterator[Endpoint]:
    yield from serve(Endpoint(status=500))


class Mailbox:
    """What a mail server has taken."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"


def test_a_webhook_and_a_mail(endpoint: Endpoint) -> None:
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        mail = (
            f"mailto://127.0.0.1:{port}/?from=rollups@example.com&to=ops@example.com&mode=insecure"
        )
        deliver([endpoint.address, mail], MESSAGE)
    finally:
        server.stop()
    (hook,) = endpoint.received
    assert hook["title"] == MESSAGE.title
    assert "What to do: wait" in hook["message"]
    (mailed,) = mailbox.mails
    assert mailed["Subject"] == MESSAGE.title
    assert mailed["To"] == "ops@example.com"


def test_what_is_not_taken_is_an_error_without_the_password(
    endpoint: Endpoint, broken_endpoint: Endpoint
) -> None:
    with pytest.raises(DeliveryError) as error:
        deliver([endpoint.address, broken_endpoint.address], MESSAGE)
    assert str(error.value) == "1 of 2 addresses did not take the message: json://"
    assert len(endpoint.received) == 1


@pytest.mark.parametrize("url", ["nonsense://user:secret@host", "secret", "mailto://"])
def test_an_address_that_is_none_is_named_without_its_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="ROLLUPS_ALERT_URLS: address 2") as error:
        deliver(["json://127.0.0.1:9", url], MESSAGE)
    assert "secret" not in str(error.value)
