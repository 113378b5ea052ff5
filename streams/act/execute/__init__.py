"""Execute rollbacks: one effective transition for each, or none."""

from streams.act.execute.build import build
from streams.act.execute.contract import Executor, Journal, Request
from streams.act.execute.handle import Executors, handle

__all__ = ["Executor", "Executors", "Journal", "Request", "build", "handle"]
