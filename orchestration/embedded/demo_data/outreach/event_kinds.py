"""The closed lists that events refer to by position: kinds, agents and details."""

from __future__ import annotations

import json

from orchestration.embedded.demo_data.copy_text import encoded
from orchestration.embedded.demo_data.outreach import vocabulary

# Stored type and the provider's own name of it.
_KINDS = (
    ("delivered", "delivered"),
    ("open", "open"),
    ("click", "click"),
    ("bounce", "bounce"),
    ("dropped", "dropped"),
    ("spam", "spam_report"),
    ("spamreport", "spamreport"),
    ("spam_report", "spam_report"),
    ("complaint", "complaint"),
    ("unsubscribe", "unsubscribe"),
    ("group_unsubscribe", "group_unsubscribe"),
    ("resubscribe", "group_resubscribe"),
    ("group_resubscribe", "group_resubscribe"),
    ("reply", "reply"),
    ("no_open", "no_open"),
    ("no_click", "no_click"),
    ("processed", "processed"),
    ("deferred", "deferred"),
    ("Open", "open"),
    (" click", "click"),
    ("DELIVERED", "delivered"),
    ("account_status_change", "account_status_change"),
    ("amp_open", "amp_open"),
    ("email.read", "email.read"),
)
KIND = {stored: position for position, (stored, _) in enumerate(_KINDS)}
COMPLAINTS = tuple(KIND[name] for name in ("spam", "spamreport", "spam_report", "complaint"))
UNKNOWN = tuple(KIND[name] for name in ("account_status_change", "amp_open", "email.read"))
PROVIDER_NOISE = (KIND["processed"], KIND["deferred"])
UNTIDY = {KIND["open"]: KIND["Open"], KIND["click"]: KIND[" click"]}
UNTIDY[KIND["delivered"]] = KIND["DELIVERED"]
SYNTHETIC = (KIND["no_open"], KIND["no_click"])
OPT_OUTS = (KIND["unsubscribe"], KIND["group_unsubscribe"])
OPT_INS = (KIND["resubscribe"], KIND["group_resubscribe"])

KIND_TEXTS = encoded(stored for stored, _ in _KINDS)
KIND_JSON = encoded(
    f'{{"event":{json.dumps(raw)},"normalizedType":{json.dumps(stored)},' for stored, raw in _KINDS
)

_AGENTS = (
    *vocabulary.HUMAN_AGENTS,
    vocabulary.APPLE_AGENT,
    *vocabulary.PROXY_AGENTS,
    *vocabulary.SCANNER_AGENTS,
)
AGENT_HUMAN = 1  # 0 = no agent
AGENT_APPLE = AGENT_HUMAN + len(vocabulary.HUMAN_AGENTS)
AGENT_PROXY = tuple(AGENT_APPLE + 1 + i for i in range(len(vocabulary.PROXY_AGENTS)))
AGENT_SCANNER = tuple(AGENT_PROXY[-1] + 1 + i for i in range(len(vocabulary.SCANNER_AGENTS)))
AGENT_JSON = [b"", *encoded(f'"useragent":{json.dumps(agent)},' for agent in _AGENTS)]
ADDRESS_JSON = [b"", *encoded(f'"ip":"{address}",' for address in vocabulary.ADDRESSES)]
LINK_JSON = [b"", *encoded(f'"url":"{link}",' for link in vocabulary.LINKS)]


def _bounce(kind: str, status: str, reason: str, group: str) -> str:
    return (
        f'"type":"{kind}","status":"{status}","reason":"{reason}",'
        f'"bounce_classification":"{group}",'
    )


_BOUNCES = (
    _bounce("bounce", "5.1.1", "550 5.1.1 The mailbox does not exist", "Invalid Address"),
    _bounce("bounce", "5.4.1", "550 5.4.1 Recipient address rejected", "Invalid Address"),
    _bounce("blocked", "5.7.1", "550 5.7.1 Message refused by policy", "Reputation"),
    _bounce("hard", "5.0.0", "550 Unknown user", "Invalid Address"),
    _bounce("soft", "4.2.2", "452 4.2.2 The mailbox is full", "Mailbox Unavailable"),
)
_DROPS = tuple(
    f'"reason":"{reason}",'
    for reason in ("Bounced Address", "Unsubscribed Address", "Spam Reporting Address", "Invalid")
)
_DETAILS = (
    "",
    '"response":"250 2.0.0 OK",',
    '"sg_machine_open":true,',
    '"sg_machine_open":false,',
    '"synthetic":true,',
    *_BOUNCES,
    *_DROPS,
)
DETAIL_JSON = encoded(_DETAILS)
DETAIL_ACCEPTED, DETAIL_MACHINE, DETAIL_NOT_MACHINE, DETAIL_SYNTHETIC = 1, 2, 3, 4
DETAIL_BOUNCES = tuple(range(5, 5 + len(_BOUNCES)))
DETAIL_DROPS = tuple(range(5 + len(_BOUNCES), len(_DETAILS)))
