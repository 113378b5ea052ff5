"""Calm tests stand in banks: what is said is what they say alone, and it outlives a restart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from benchmarks.summaries import Fleet, Shape
from schemas.alerts import AlertAction
from schemas.summaries import Part
from streams.decide import memories, sheets
from streams.decide.bank import BankKey, MonitorBank
from streams.decide.keys import MonitorKey, StreamKey
from streams.decide.memory import MonitorState, OpenAlert
from streams.decide.pipeline import Decide

SHAPE = Shape("two models", models=2, segments=1, features=5, horizon=4)
WINDOWS, TROUBLE = 45, range(12, 20)


def moved(fleet, delta):
    """A pane whose features have drifted, whose rows failed, or whose answers were wrong."""
    subject = fleet.subjects[delta.segment != ""]
    layout = subject.layout(delta.part)
    vector = layout.zeros()
    vector[delta.index] = delta.values
    for feature in subject.features if delta.part is Part.INPUT else ():
        place = layout.slices[f"{feature.name}:hist"]
        vector[place] = np.roll(vector[place], 5)
    name, value = ("n_error", 60) if delta.part is Part.INPUT else ("err", 150)
    vector[layout.start(name)] = value
    index = np.flatnonzero(vector)
    return msgspec.structs.replace(delta, index=index.tolist(), values=vector[index].tolist())


def panes(fleet, number):
    """Of a window that closes, and of one that matures; model 0 is in trouble for a while, and
    one window has hardly a label."""
    found = []
    for start, part in ((number, Part.INPUT), (number - 1, Part.LABEL)):
        for delta in fleet.window(start, part) if start >= 0 else ():
            if part is Part.LABEL and start == 30:
                found.append(msgspec.structs.replace(delta, index=delta.index[:1], values=[3]))
            elif start in TROUBLE and delta.model == "model-0":
                found.append(moved(fleet, delta))
            else:
                found.append(delta)
    return found


class Run:
    """All that DECIDE says of the fleet, window by window, and what its tests remember then."""

    def __init__(self, *, restart_every: int = 0) -> None:
        fleet, rows = Fleet(SHAPE), {}
        decide = Decide(fleet.control, partition=0)
        self.said, self.alerts, self.tests, self.banks = [], [], [], []
        for number in range(WINDOWS):
            decide.apply(fleet.batch(number + 1, panes(fleet, number)))
            outputs = decide.advance()
            self.alerts += outputs.alerts
            self.said.append((outputs, decide.ledger()))
            self.tests.append(dict(decide._state.tests.items()))
            self.banks.append(dict(decide._state.banks.items()))
            rows |= decide.changed()
            if restart_every and number % restart_every == 0:
                decide = Decide(fleet.control, partition=0)
                decide.load({key: row for key, row in reversed(rows.items()) if row is not None})


@pytest.fixture(scope="module")
def banked():
    """With banks wherever there may be one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "LEAST", 1)
        return Run()


def test_tests_in_banks_say_and_remember_what_they_do_alone(banked, monkeypatch):
    """Every result, alert, audit record and ledger, and the memory of every test."""
    monkeypatch.setattr(sheets, "LEAST", 1 << 30)
    alone = Run()
    assert alone.said == banked.said
    assert alone.tests == banked.tests
    assert not any(alone.banks)


def test_tests_in_banks_go_on_after_a_restart(banked, monkeypatch):
    """In the middle of the trouble, too."""
    monkeypatch.setattr(sheets, "LEAST", 1)
    again = Run(restart_every=3)
    assert again.said == banked.said
    assert again.banks == banked.banks


def test_a_test_that_alarms_leaves_its_bank_and_comes_back(banked):
    """Only tests without an alert stand in banks, and after the trouble all do again."""
    opened = [one for one in banked.alerts if one.action is AlertAction.OPENED]
    resolved = [one for one in banked.alerts if one.action is AlertAction.RESOLVED]
    assert len(opened) >= len(resolved) > 2
    vacant = [sum(len(bank.vacant) for bank in banks.values()) for banks in banked.banks]
    assert max(vacant) > 2
    assert vacant[TROUBLE.start - 1] == vacant[-1] == 0


def test_a_window_of_few_labels_dissolves_the_banks_of_its_stream(banked):
    """Its tests are not asked all at once; with the next window they are side by side again."""
    parts = [{key.part for key in banks} for banks in banked.banks]
    dissolved = [Part.LABEL not in found for found in parts]
    assert dissolved[5:].count(True) == 1


KEY = BankKey("m", "v1", "baseline", "", Part.LABEL, 0)
STREAM = StreamKey(*KEY[:4])
NAMES = (("e-sr", "error_rate", ""), ("e-sr", "brier", ""))


def known(place, **changes):
    """What the test at a place of the bank remembers."""
    memory = np.full(2, float(place)).tobytes()
    state = MonitorState(f"q{place}", "p", "r", 60_000, memory, 0.1, 0.2, part=Part.LABEL)
    return msgspec.structs.replace(state, **changes)


@pytest.fixture
def tests():
    """A table with two tests in a bank."""
    banks = memories.Banks()
    table = memories.Tests(banks)
    empty = MonitorBank(
        NAMES, ("q0", "q1"), (2, 2), "p", "r", 60_000, Part.LABEL, bytes(96), bytes(32), (), (0, 1)
    )
    keys = [MonitorKey(*STREAM, *name) for name in NAMES]
    rows = {key: known(place) for place, key in enumerate(keys)}
    table.put_all(rows)
    assert len(table) == 2
    table.admit(KEY, empty, dict(enumerate(rows.values())))
    assert dict(table.items()) == rows
    return table, banks, keys


def test_what_may_stay_in_a_bank_stays(tests):
    """An account that moves is written into the bank."""
    table, banks, keys = tests
    table.put(keys[1], known(1, spent=0.5, opened=2))
    assert banks.get(KEY).vacant == ()
    assert table.get(keys[1]) == known(1, spent=0.5, opened=2)
    assert table.get(keys[0]) == known(0)


@pytest.mark.parametrize(
    "changes",
    [
        {"alert": OpenAlert("id", "page", 0, 0, 0.0, [])},
        {"start_ms": 120_000},
        {"question": "another"},
        {"memory": b""},
    ],
)
def test_what_does_not_fit_a_bank_leaves_it(tests, changes):
    """An alert, another window or question, or a fresh start."""
    table, banks, keys = tests
    table.put(keys[0], known(0, **changes))
    assert banks.get(KEY).vacant == (0,)
    assert table.get(keys[0]) == known(0, **changes)
    assert table.get(keys[1]) == known(1)
    assert bool(table.open()) == ("alert" in changes)


def test_a_bank_that_is_dissolved_or_forgotten_is_gone(tests):
    """Its tests have rows of their own, and each can be dropped wherever it is."""
    table, banks, keys = tests
    table.drop(keys[0])
    assert table.get(keys[0]) is None
    table.dissolve(KEY)
    assert (len(banks), banks.of(STREAM)) == (0, [])
    assert dict(table.items()) == {keys[1]: known(1)}
    table.drop(keys[1])
    assert len(table) == 0
