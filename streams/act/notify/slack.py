"""Slack's incoming webhooks.

References
----------
.. [1] Slack, Sending messages using incoming webhooks; Block Kit, section and context blocks.
"""

from __future__ import annotations

from schemas.act import Slack
from streams.act.notify.request import Json, Request, encode, shortened
from streams.act.notify.words import facts, links, title
from streams.act.outgoing import Outgoing
from streams.act.settings import Secrets

MOST_HEADER, MOST_TEXT = 150, 3_000
"""What Slack takes of a header and of a text, in characters."""


def request(outgoing: Outgoing, target: Slack, secrets: Secrets) -> Request:
    """The message of an event."""
    head, summary = title(outgoing), outgoing.event.summary
    blocks: list[Json] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": shortened(head, MOST_HEADER), "emoji": False},
        },
        {"type": "section", "text": _marked(escaped(summary) or "(no details)")},
    ]
    foot = [f"*{name}*: {escaped(text)}" for name, text in facts(outgoing).items()]
    foot += [f"<{url}|{name}>" for name, url in links(outgoing).items()]
    if foot:
        blocks.append({"type": "context", "elements": [_marked(" · ".join(foot))]})
    text = shortened(escaped(f"{head}: {summary}"), MOST_TEXT)
    return Request(secrets[target.url_env], encode({"text": text, "blocks": blocks}))


def escaped(text: str) -> str:
    """The text with Slack's three control characters as what they look like.

    Examples
    --------
    >>> escaped("p < 0.1 & <!channel>")
    'p &lt; 0.1 &amp; &lt;!channel&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _marked(text: str) -> dict[str, Json]:
    return {"type": "mrkdwn", "text": shortened(text, MOST_TEXT)}
