"""The one tree of errors.

```
KittiwakeError
├── BadRecord             a record that cannot be used; goes to dead-letters, the stream goes on
├── PlacedError           a file that cannot be used; names file, line, column and the fix
│   ├── PolicyError       … a policy
│   └── PlanError         … the plan of what ACT does
├── ProfileError          a reference that cannot be built or read
├── ConfigurationError    a setting that cannot work
│   └── TopicMismatch     a topic exists with other partitions or another clean-up policy
├── TargetError           a deployment cannot be rolled back as asked, and would not be next time
│   └── TargetUnavailable nothing was changed; the same request may go through later
└── TransportError        trouble with the log
    ├── BrokerUnavailable no broker answered in time
    ├── Retriable         the same call may go through later
    ├── Fenced            another member took over; drop the state and leave
    └── CommitUnknown     a commit of unknown outcome; restart through the recovery barrier
```

A bug is none of these: it is any other exception, and it stops the process loudly.
"""

from __future__ import annotations


class KittiwakeError(Exception):
    """Base of every error that Kittiwake raises on purpose."""


class BadRecord(KittiwakeError):
    """A record that cannot be used.

    Parameters
    ----------
    reason
        One word of `schemas.dead_letters.Reason`.
    message
        What was wrong, the value, and what to do.
    field
        Where inside the record, as a path such as ``output.score``; empty for the whole record.
    """

    def __init__(self, reason: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class PlacedError(KittiwakeError):
    """A file that cannot be used.

    Parameters
    ----------
    message
        What is wrong and how to mend it.
    file, line, column
        The place in the source; line and column count from 1, 0 where unknown.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        at = f":{line}:{column}" if line else ""
        place = f"{file}{at}: " if file else ""
        super().__init__(f"{place}{message}")
        self.file = file
        self.line = line
        self.column = column


class PolicyError(PlacedError):
    """A policy that cannot be used."""


class PlanError(PlacedError):
    """A plan of what ACT does that cannot be used."""


class ProfileError(KittiwakeError):
    """A reference profile that cannot be built or read."""


class ConfigurationError(KittiwakeError):
    """A setting that cannot work."""


class TopicMismatch(ConfigurationError):
    """A topic exists with another partition count or clean-up policy than asked for."""


class TargetError(KittiwakeError):
    """A deployment cannot be read or set as asked, and trying again would not help."""


class TargetUnavailable(TargetError):
    """A deployment did not answer, and nothing was changed; it may later."""


class TransportError(KittiwakeError):
    """Trouble with the log, not with a record."""


class BrokerUnavailable(TransportError):
    """No broker answered in time."""


class Retriable(TransportError):
    """The same call may go through later."""


class Fenced(TransportError):
    """Another member took over this member's work."""


class CommitUnknown(TransportError):
    """A commit whose outcome is unknown; apply nothing and restart through the barrier."""
