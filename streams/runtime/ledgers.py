"""The ledgers of false-alarm budgets, as the checkpoints of DECIDE have them."""

from __future__ import annotations

from schemas import topics
from schemas.ledger import Ledger
from streams.decide.ledger import ledgers
from streams.decide.state import State
from streams.decide.subject import Subjects
from streams.runtime import checkpoint
from streams.runtime.control_reader import ControlReader
from streams.runtime.decide_worker import STATE
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport, check_topics

TABLES = ("clock", "spending", "retired", "bank", "test")
"""The tables that a ledger is made of; panes and windows are left in the log."""


def read_ledgers(transport: Transport, settings: Settings) -> list[Ledger]:
    """The ledger of every model at its latest checkpoint, in order of name.

    Raises
    ------
    ConfigurationError
        If a topic is missing.
    """
    summaries, states = settings.topic(topics.SUMMARIES), settings.topic(topics.CHECKPOINTS)
    counts = {name: transport.partition_count(name) for name in (summaries, states)}
    check_topics(counts, co_partitioned=False)
    known = [_state(transport, states, number) for number in range(counts[summaries] or 0)]
    # The policies that a checkpoint names were in the log before it.
    reader = ControlReader(transport, settings)
    reader.close()
    subjects = Subjects(reader.control)
    found = [ledger for state in known for ledger in ledgers(state, subjects)]
    return sorted(found, key=lambda ledger: ledger.model)


def _state(transport: Transport, topic: str, number: int) -> State:
    parts = checkpoint.read(transport, topic, number, f"decide/{number}")
    wanted = tuple(f"{STATE}{table}:" for table in TABLES)
    rows = {
        part.removeprefix(STATE): value for part, value in parts.items() if part.startswith(wanted)
    }
    return State.load(rows)
