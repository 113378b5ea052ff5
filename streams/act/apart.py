"""A thread apart from the event loop, for what speaks to Kafka and may have to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Apart:
    """One thread that does calls one after the other.

    A wait that is cancelled does not stop the call: the next one begins when it has ended. So
    what is used here only is never used twice at once.

    Examples
    --------
    >>> async def count() -> list[int]:
    ...     apart = Apart("doc")
    ...     found = [await apart.do(lambda: 1 + 1)]
    ...     await apart.close(lambda: found.append(3))
    ...     return found
    >>> asyncio.run(count())
    [2, 3]
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def do(self, call: Callable[[], T]) -> T:
        """The result of a call, made in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def close(self, call: Callable[[], None]) -> None:
        """Make a last call."""
        try:
            await self.do(call)
        finally:
            self._thread.shutdown(wait=False)
