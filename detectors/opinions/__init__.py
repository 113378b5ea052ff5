"""Second opinions: river's drift detectors, fed properly, to watch and never to page."""

from detectors.opinions.catalogue import CATALOGUE
from detectors.opinions.contract import Opinion, RateWindow, StreamDetector
from detectors.opinions.river_opinion import RiverOpinion

__all__ = [
    "CATALOGUE",
    "Opinion",
    "RateWindow",
    "RiverOpinion",
    "StreamDetector",
]
