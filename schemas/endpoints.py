"""Where others are reached, and which environment variables hold what must not stand in a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+([/?#]\S*)?$", max_length=2_000)]
"""Where to send, with its scheme and without name or password: it is told in logs."""

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
"""Name of the environment variable that holds a secret; secrets never stand in the file."""
