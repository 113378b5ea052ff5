"""A detector of river as an opinion on windows, with a state that continues exactly."""

from __future__ import annotations

from typing import Self

from detectors.opinions import state as states
from detectors.opinions.catalogue import CATALOGUE
from detectors.opinions.contract import Opinion, RateWindow
from schemas.errors import ConfigurationError


class RiverOpinion:
    """Reads each window to one detector and reports what it said.

    Severity "watch" at most: no bound on false alarms holds. The same windows in the same order
    give the same opinions, on any machine, and across `state` and `restore`. Late events and
    corrections are not read: the detectors depend on order and cannot take anything back.

    Parameters
    ----------
    name
        One of `detectors.opinions.catalogue.CATALOGUE`.

    Raises
    ------
    ConfigurationError
        An unknown name.

    Examples
    --------
    >>> opinion = RiverOpinion("page_hinkley")
    >>> rates = [5, 4, 6, 5, 5, 4, 5, 6, 5, 4, 15, 14, 15]
    >>> windows = [RateWindow(id=str(i), n=100, k=k, expected=0.05) for i, k in enumerate(rates)]
    >>> [opinion.update(window).watch for window in windows].index(True)
    12

    References
    ----------
    .. [1] Montiel et al., River: machine learning for streaming data in Python, JMLR 22, 2021.
    .. [2] Bifet, Gavaldà, Learning from time-changing data with adaptive windowing, SDM 2007.
    .. [3] Page, Continuous inspection schemes, Biometrika 41, 1954.
    .. [4] Raab, Heusinger, Schleif, Reactive soft prototype computing for concept drift streams,
       Neurocomputing 416, 2020.
    .. [5] Gama, Medas, Castillo, Rodrigues, Learning with drift detection, SBIA 2004.
    .. [6] Baena-García et al., Early drift detection method, IWKDDS 2006.
    .. [7] Frías-Blanco et al., Online and non-parametric drift detection methods based on
       Hoeffding's bounds, IEEE Transactions on Knowledge and Data Engineering 27, 2015.
    .. [8] Pesaranghader, Viktor, Fast Hoeffding drift detection method for evolving data
       streams, ECML-PKDD 2016.
    """

    def __init__(self, name: str) -> None:
        if name not in CATALOGUE:
            raise ConfigurationError(
                f"there is no opinion {name!r}; choose one of {', '.join(CATALOGUE)}"
            )
        self.name = name
        self._feed = CATALOGUE[name].feed
        self._detector = CATALOGUE[name].build()

    def update(self, window: RateWindow) -> Opinion:
        """Read one window and report. An empty window changes nothing."""
        numbers = self._feed(window)
        detections = 0
        for number in numbers:
            self._detector.update(number)
            detections += bool(self._detector.drift_detected)
        return Opinion(self.name, detections, len(numbers))

    def state(self) -> bytes:
        """Everything `restore` needs."""
        return states.to_bytes(self.name, self._detector)

    @classmethod
    def restore(cls, name: str, state: bytes) -> Self:
        """Continue from a `state` of the same detector.

        Raises
        ------
        ConfigurationError
            An unknown name.
        ValueError
            A state that is corrupt, or foreign; see `detectors.opinions.state.restore_into`.
        """
        opinion = cls(name)
        states.restore_into(name, opinion._detector, state, settings=CATALOGUE[name].settings)
        return opinion
