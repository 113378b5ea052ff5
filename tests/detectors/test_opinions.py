"""Opinions of river: proper feeding, replay, restart, refused states, orders of magnitude."""

import os
import pickle
from hashlib import blake2b

import numpy as np
import pytest
from river.drift import ADWIN
from river.drift.binary import FHDDM

from detectors.opinions.catalogue import CATALOGUE
from detectors.opinions.contract import Opinion, RateWindow
from detectors.opinions.feeding import bits, good_bits, z_score
from detectors.opinions.river_opinion import RiverOpinion
from schemas.errors import ConfigurationError

NAMES = list(CATALOGUE)


def windows(seed: int, rates: list[float], n: int = 200) -> list[RateWindow]:
    """Windows of `n` events at the given true rates, 5 % expected."""
    k = np.random.default_rng(seed).binomial(n, rates)
    return [RateWindow(id=f"{seed}:{i}", n=n, k=int(x), expected=0.05) for i, x in enumerate(k)]


def read(opinion: RiverOpinion, stream: list[RateWindow]) -> list[Opinion]:
    """What the opinion says of each window."""
    return [opinion.update(window) for window in stream]


def test_bits_hold_exactly_the_bad_events_in_a_random_order() -> None:
    """Every bad event once, spread evenly over places, and another order for another window."""
    orders = np.array([bits(RateWindow(id=str(i), n=40, k=8, expected=0.1)) for i in range(3_000)])
    assert (orders.sum(axis=1) == 8).all()
    assert np.abs(orders.mean(axis=0) - 0.2).max() < 4 * (0.16 / 3_000) ** 0.5
    assert len({tuple(order) for order in orders.tolist()}) > 2_990
    window = RateWindow(id="a", n=40, k=8, expected=0.1)
    assert [1.0 - bit for bit in bits(window)] == good_bits(window)


def test_large_windows_are_read_in_part_without_bias() -> None:
    """1,000 of 10,000 events: the number of bad ones is hypergeometric."""
    sums = [sum(bits(RateWindow(id=str(i), n=10_000, k=500, expected=0.1))) for i in range(300)]
    assert np.mean(sums) == pytest.approx(50, abs=3 * (50 * 0.95 * 0.9 / 300) ** 0.5)
    assert np.var(sums) == pytest.approx(50 * 0.95 * 0.9, rel=0.3)


def test_z_scores_are_standard_when_the_rate_is_as_expected() -> None:
    """Mean 0 and variance 1 whatever the size of the window."""
    z = [z_score(window)[0] for n in (50, 800) for window in windows(1, [0.05] * 1_000, n)]
    assert np.mean(z) == pytest.approx(0.0, abs=0.08)
    assert np.std(z) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("name", NAMES)
def test_replay_and_restart_change_nothing(name: str) -> None:
    """Same opinions on replay, and with a restart through bytes at every third window."""
    stream = windows(2, [0.05] * 110 + [0.6] * 30, n=60)
    whole, cut, said = RiverOpinion(name), RiverOpinion(name), []
    for i, window in enumerate(stream):
        if i % 3 == 0:
            cut = RiverOpinion.restore(name, cut.state())
        said.append(cut.update(window))
        assert said[-1] == whole.update(window)
    assert said == read(RiverOpinion(name), stream)
    assert any(opinion.watch for opinion in said[110:])
    assert cut.state() == whole.state()


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_window_changes_nothing(name: str) -> None:
    """Nothing read, nothing said, and the state stays."""
    opinion = RiverOpinion(name)
    read(opinion, windows(3, [0.05] * 5))
    before = opinion.state()
    found = opinion.update(RateWindow(id="empty", n=0, k=0, expected=0.05))
    assert found == Opinion(name, 0, 0)
    assert not found.watch
    assert opinion.state() == before


def test_states_that_are_corrupt_or_foreign_are_refused() -> None:
    """Every cut and every flipped byte of the payload, another detector, another version."""
    opinion = RiverOpinion("ddm")
    read(opinion, windows(4, [0.05] * 3))
    state = opinion.state()
    for cut in (b"", state[:5], state[:30], state[:-1], state + b"x"):
        with pytest.raises(ValueError, match="start it anew"):
            RiverOpinion.restore("ddm", cut)
    for place in range(0, len(state), 7):
        flipped = state[:place] + bytes([state[place] ^ 1]) + state[place + 1 :]
        with pytest.raises(ValueError, match="start it anew"):
            RiverOpinion.restore("ddm", flipped)
    with pytest.raises(ValueError, match=r"is of 'ddm'.*asked for 'eddm'"):
        RiverOpinion.restore("eddm", state)
    head, name, _, rest = state.split(b"|", 3)
    with pytest.raises(ValueError, match=r"under river 0\.1"):
        RiverOpinion.restore("ddm", b"|".join((head, name, b"0.1", rest)))


class Call:
    """A pickle that calls a function while it is read."""

    def __init__(self, function: object, argument: str) -> None:
        self._call = (function, (argument,))

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self._call


def sealed(values: object) -> bytes:
    """A payload with a proper seal, as one would forge it."""
    head, name, version, _ = RiverOpinion("ddm").state().split(b"|", 3)
    payload = pickle.dumps(values, 4)
    return b"|".join((head, name, version, blake2b(payload, digest_size=16).digest() + payload))


@pytest.mark.parametrize("function", [os.system, eval, getattr])
def test_a_forged_state_runs_no_code(function: object, tmp_path) -> None:
    """Even under a proper seal, no function is called and no other class is admitted."""
    forged = sealed({"_p": Call(function, f"touch {tmp_path}/called")})
    with pytest.raises(ValueError, match="is not part of a detector"):
        RiverOpinion.restore("ddm", forged)
    assert list(tmp_path.iterdir()) == []


def test_a_state_with_other_fields_or_settings_is_refused() -> None:
    """A list, missing fields, and a threshold that nobody asked for."""
    fields = dict(vars(CATALOGUE["ddm"].build()))
    for values in ([1, 2], {**fields, "extra": 1}, {}):
        with pytest.raises(ValueError, match="other fields"):
            RiverOpinion.restore("ddm", sealed(values))
    with pytest.raises(ValueError, match=r"made with drift_threshold = 9.* asked for 3"):
        RiverOpinion.restore("ddm", sealed({**fields, "drift_threshold": 9.0}))


def test_windows_and_names_that_cannot_be_are_refused() -> None:
    """The message names the value."""
    with pytest.raises(ConfigurationError, match="no opinion 'cusum'"):
        RiverOpinion("cusum")
    with pytest.raises(ConfigurationError, match="expected is 0"):
        RateWindow(id="w", n=10, k=1, expected=0.0)
    with pytest.raises(ValueError, match="11 bad events among 10"):
        RateWindow(id="w", n=10, k=11, expected=0.1)


def false_alarms_per_10k(name: str, length: int) -> float:
    """Detections per 10,000 events at a steady 5 %, six runs."""
    found = sum(
        opinion.detections
        for seed in range(6)
        for opinion in read(RiverOpinion(name), windows(seed, [0.05] * length))
    )
    return found * 10_000 / (6 * length * 200)


@pytest.mark.parametrize(
    ("name", "length", "low", "high"),
    [
        ("adwin", 100, 0.0, 0.2),
        ("page_hinkley", 200, 0.0, 0.2),
        ("kswin", 200, 0.0, 0.2),
        ("hddm_a", 40, 0.0, 0.5),
        ("hddm_w", 40, 0.0, 0.5),
        ("fhddm", 50, 0.0, 0.2),
        ("ddm", 50, 0.2, 4.0),
        ("eddm", 50, 3.0, 30.0),
    ],
)
def test_false_alarms_are_of_the_measured_order(
    name: str, length: int, low: float, high: float
) -> None:
    """None of them bounds these; DDM and EDDM alarm often on a steady stream."""
    assert low <= false_alarms_per_10k(name, length) <= high


def median_delay(name: str, healthy: int, rate: float, limit: int) -> float:
    """Events until the first opinion after a jump from 5 %, median of five runs."""
    delays = []
    for seed in range(5):
        said = read(RiverOpinion(name), windows(seed, [0.05] * healthy + [rate] * limit))
        late = [i for i, opinion in enumerate(said[healthy:], 1) if opinion.watch]
        delays.append(200 * (late[0] if late else 10 * limit))
    return float(np.median(delays))


@pytest.mark.parametrize(
    ("name", "healthy", "rate", "low", "high"),
    [
        ("adwin", 25, 0.10, 200, 2_000),
        ("page_hinkley", 25, 0.10, 200, 1_600),
        ("kswin", 110, 0.10, 1_000, 5_000),
        ("hddm_a", 25, 0.10, 600, 5_000),
        ("ddm", 25, 0.10, 200, 4_000),
        ("eddm", 25, 0.10, 200, 2_000),
        ("fhddm", 10, 0.50, 200, 400),
        ("hddm_w", 10, 0.50, 200, 400),
    ],
)
def test_delays_are_of_the_measured_order(
    name: str, healthy: int, rate: float, low: float, high: float
) -> None:
    """A jump to 10 %; FHDDM and HDDM_W see nothing of that size, but a jump to 50 % at once."""
    assert low <= median_delay(name, healthy, rate, 25) <= high


def test_control_window_means_fed_to_adwin() -> None:
    """A jump from 5 % to 20 % goes unseen in 60 window means; as bits it is seen in four."""
    stream = windows(5, [0.05] * 60 + [0.20] * 60, n=100)
    detector, found = ADWIN(), 0
    for window in stream:
        detector.update(window.k / window.n)
        found += detector.drift_detected
    assert found == 0
    said = read(RiverOpinion("adwin"), stream)
    assert not any(opinion.watch for opinion in said[:60])
    assert any(opinion.watch for opinion in said[60:64])


def test_control_errors_fed_to_fhddm() -> None:
    """It looks for a fall: fed errors it does not see them rise tenfold."""
    stream = windows(6, [0.05] * 10 + [0.5] * 2)
    detector, found = FHDDM(), 0
    for window in stream:
        for bit in bits(window):
            detector.update(bit)
            found += detector.drift_detected
    assert found == 0
    assert any(opinion.watch for opinion in read(RiverOpinion("fhddm"), stream)[10:])
