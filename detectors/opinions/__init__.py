"""Second opinions: river's drift detectors, fed properly, to watch and never to page."""
