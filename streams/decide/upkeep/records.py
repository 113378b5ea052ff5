"""What is remembered of a model's traffic, of its retraining, and of what services were advised."""

from __future__ import annotations

import msgspec


class Traffic(msgspec.Struct, frozen=True):
    """When baselines of a model had predictions, however late these came.

    ``first_ms`` is the start of the first pane with any, ``versions`` the end of the last one of
    each version. ``policy`` and ``reference`` are those of the last pane of all, ``alert`` is the
    id of the open alert that says that no prediction came, "" where there is none.
    """

    first_ms: int
    versions: dict[str, int]
    policy: str
    reference: str
    alert: str = ""

    @property
    def last_ms(self) -> int:
        """End of the last pane with predictions."""
        return max(self.versions.values())

    @property
    def version(self) -> str:
        """The version that served last; of several the last by name."""
        return max(self.versions, key=lambda name: (self.versions[name], name))


class Training(msgspec.Struct, frozen=True):
    """How a model's retraining stands.

    ``labels`` came since the last request, since a training was done, or since a new version
    served. ``asked`` are the reasons of commands that wait for their request. The ``_ms`` are when
    the last request was made, and the last with the reason schedule; ``incident`` is the story of
    the last with the reason harmful drift, ``drifts`` are the tests that said so in it.
    ``requests`` counts all.
    """

    labels: int = 0
    asked: tuple[str, ...] = ()
    last_ms: int | None = None
    scheduled_ms: int | None = None
    incident: str = ""
    drifts: tuple[str, ...] = ()
    requests: int = 0


class Advised(msgspec.Struct, frozen=True):
    """The newest advice of a model, as far as the next one depends on it."""

    id: str
    degraded: bool
    use: str
    version: str | None
    evidence: tuple[str, ...]
