"""Delivery of messages through apprise: mail, chat, webhooks, by URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestration.alerting.alerts import Message
from orchestration.errors import DeliveryError, SettingsError

if TYPE_CHECKING:
    from apprise import NotifyBase


def deliver(urls: Sequence[str], message: Message) -> None:
    """Send a message to every address.

    Raises ``SettingsError`` for an address that apprise does not know, ``DeliveryError`` when one
    of them did not take the message. Neither shows more of an address than its scheme: addresses
    hold passwords.
    """
    targets = [_target(number, url) for number, url in enumerate(urls, 1)]
    refused = [
        scheme
        for scheme, target in targets
        if not target.notify(title=message.title, body=message.body)
    ]
    if refused:
        raise DeliveryError(
            f"{len(refused)} of {len(targets)} addresses did not take the message:"
            f" {', '.join(refused)}"
        )


def _target(number: int, url: str) -> tuple[str, NotifyBase]:
    # Knows 140 services: loaded when there is something to tell.
    import apprise

    found = re.match(r"([A-Za-z0-9+-]+)://", url)
    scheme = f"{found.group(1)}://" if found else "no scheme"
    target = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if not isinstance(target, apprise.NotifyBase):
        raise SettingsError(
            f"ROLLUPS_ALERT_URLS: address {number} ({scheme}) is none that apprise knows:"
            " use one such as mailtos://user:password@host or jsons://host/path"
        )
    return scheme, target
