"""Whatever somebody does to a log of decisions is found, and the first bad record is named."""

from __future__ import annotations

import json

import pytest
from audited import entries, forged, lines, records
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit.verify import Chain, FaultKind, verify
from streams.decide.audit import chain
from streams.decide.state import State

COUNT = 9
GOOD = lines(records(COUNT))
HASHES = [json.loads(line)["hash"] for line in GOOD]
PLACES = st.integers(0, COUNT - 1)
FIELDS = sorted(json.loads(GOOD[0]).keys() - {"subject"})
SUBJECT = sorted(json.loads(GOOD[0])["subject"])
OTHER = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 99), st.floats(allow_nan=False), st.text(max_size=3)
)


def checked(values: list[bytes], heads: dict[int, str] | None = None) -> Chain:
    """The chain of the model, or the first one with a fault."""
    chains = verify(
        [(f"line {number}", value) for number, value in enumerate(values)],
        heads={"fraud": heads or {}},
    )
    broken = [(each.fault.at, each.model) for each in chains.values() if each.fault]
    return chains[min(broken)[1] if broken else "fraud"]


def fault_of(values: list[bytes], heads: dict[int, str] | None = None) -> tuple[str, str, str]:
    """Kind, place and message of the first fault."""
    fault = checked(values, heads).fault
    assert fault is not None
    return fault.kind.value, fault.place, fault.message


def same(one: object, other: object) -> bool:
    """Whether JSON says the same: 1 is 1.0, but not true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def test_a_log_as_it_was_written_is_whole():
    """With its length and its head."""
    found = checked(GOOD, {COUNT - 1: HASHES[-1], 3: HASHES[3]})
    assert (found.fault, found.ends, found.repeated) == (None, COUNT, 0)
    assert found.head == f"{COUNT - 1}:{HASHES[-1]}"


@settings(max_examples=200, deadline=None)
@given(PLACES, st.sampled_from(FIELDS + SUBJECT), OTHER)
def test_a_change_of_any_field_is_found(place, name, value):
    """At the record that was changed, or, where it now seems another model's, by its hash."""
    content = json.loads(GOOD[place])
    where = content if name in FIELDS else content["subject"]
    if same(where[name], value):
        return
    where[name] = value
    changed = [*GOOD[:place], json.dumps(content).encode(), *GOOD[place + 1 :]]
    kind, found, _ = fault_of(changed)
    assert found == f"line {place}"
    assert kind in (FaultKind.CHANGED, FaultKind.MALFORMED)


@settings(max_examples=100, deadline=None)
@given(PLACES, st.sampled_from(sorted(set(FIELDS + SUBJECT) - {"hash"})), OTHER)
def test_a_change_with_a_hash_to_match_is_found(place, name, value):
    """There, or at the next record, unless it was the last: then a head known from elsewhere
    finds it."""
    content = json.loads(GOOD[place])
    where = content if name in FIELDS else content["subject"]
    if same(where[name], value):
        return
    where[name] = value
    made = forged(json.dumps(content).encode())
    changed = [*GOOD[:place], made, *GOOD[place + 1 :]]
    _, found, _ = fault_of(changed, {COUNT - 1: HASHES[-1]})
    assert found in (f"line {place}", f"line {place + 1}", "end of the log")


@given(st.lists(PLACES, min_size=1, max_size=COUNT - 1, unique=True))
def test_a_removal_is_found(places):
    """At the record after the gap; of the end, by a head known from elsewhere."""
    rest = [line for number, line in enumerate(GOOD) if number not in places]
    kept = [number for number in range(COUNT) if number not in places]
    kind, place, message = fault_of(rest, {COUNT - 1: HASHES[-1]})
    gaps = [number for number, was in enumerate(kept) if was != number]
    assert kind == ("gap" if gaps else "truncated")
    assert place == (f"line {gaps[0]}" if gaps else "end of the log")
    assert "removed" in message


@given(PLACES, PLACES)
def test_a_swap_is_found(one, other):
    """At the first of the two places."""
    if one == other:
        return
    moved = list(GOOD)
    moved[one], moved[other] = moved[other], moved[one]
    kind, place, _ = fault_of(moved)
    assert (kind, place) == ("gap", f"line {min(one, other)}")


@given(st.permutations(range(COUNT)))
def test_any_other_order_is_found(order):
    """Only the order of the log is whole."""
    moved = [GOOD[number] for number in order]
    assert (checked(moved).fault is None) == (order == list(range(COUNT)))


@given(PLACES, PLACES, st.booleans())
def test_an_insertion_is_found(source, place, relinked):
    """Made of another record, with a hash to match and, if ``relinked``, with the right links."""
    links = {"sequence": place} if relinked else {}
    if relinked and place:
        links["previous"] = HASHES[place - 1]
    if relinked:
        links["root"] = json.loads(GOOD[place])["root"]
    made = forged(GOOD[source], event_id="made up", **links)
    kind, found, _ = fault_of([*GOOD[:place], made, *GOOD[place:]])
    assert found in (f"line {place}", f"line {place + 1}")
    assert kind in (FaultKind.FORK, FaultKind.GAP, FaultKind.UNLINKED)


@given(st.integers(1, COUNT), st.integers(0, COUNT - 1))
def test_what_was_published_again_is_no_fault(until, since):
    """After a crash the newest records come once more, as they were."""
    found = checked([*GOOD[:until], *GOOD[min(since, until) : until], *GOOD[until:]])
    assert found.fault is None
    assert (found.ends, found.repeated) == (COUNT, until - min(since, until))


def test_a_truncated_log_looks_whole_without_a_head():
    """What a chain cannot tell by itself; a head tells, and names what is missing."""
    assert checked(GOOD[:5]).fault is None
    kind, place, message = fault_of(GOOD[:5], {7: HASHES[7]})
    assert (kind, place) == ("truncated", "end of the log")
    assert message.endswith("records 5 to 7 were removed from its end")
    assert fault_of([], {0: HASHES[0]})[0] == "truncated"


def test_a_chain_made_anew_is_whole_but_for_a_head():
    """Whoever can write everything can compute everything, but not change what others know."""
    made = lines(chain(State(), [(*entry[:4], {}) for entry in entries(COUNT)]))
    assert checked(made).fault is None
    kind, place, message = fault_of(made, {0: HASHES[0]})
    assert (kind, place) == ("other_head", "line 0")
    assert HASHES[0] in message


def test_a_log_without_its_oldest_records_needs_the_head_before_them():
    """As after retention: then links are verified from there on."""
    kind, _, message = fault_of(GOOD[4:])
    assert kind == "gap"
    assert "say the hash of record 3 as a known head" in message
    found = checked(GOOD[4:], {3: HASHES[3]})
    assert (found.fault, found.begins, found.ends) == (None, 4, COUNT)
    assert fault_of([*GOOD[4:], GOOD[2]], {3: HASHES[3]})[:2] == ("gap", "line 5")
    assert fault_of(GOOD[4:], {3: HASHES[2]})[0] == "gap"


def test_a_second_chain_is_a_fork():
    """A state that was lost starts at 0 again, with other content."""
    other = lines(records(2, model="other"))
    again = [forged(other[0], model="fraud")]
    kind, place, message = fault_of([*GOOD, *again])
    assert (kind, place) == ("fork", f"line {COUNT}")
    assert "it was there before" in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "no audit record"),
        (b"[]", "no audit record"),
        (b"\xff", "no audit record"),
        (b"[" * 100_000, "no audit record"),
        (GOOD[0].replace(b'{"model"', b'{"model":"x","model"'), "stands twice"),
        (GOOD[0].replace(b'"sequence":0', b'"sequence":-1'), "sequence is -1"),
        (GOOD[0].replace(b'{"model"', b'{"more":1,"model"'), "more is 1"),
    ],
)
def test_what_is_no_record_is_named(value, words):
    """With its place, whatever it is."""
    kind, place, message = fault_of([value, *GOOD])
    assert (kind, place) == ("malformed", "line 0")
    assert words in message
