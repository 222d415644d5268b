"""The ladder of a tempered run: inverse temperatures at which all neighbours exchange equally often."""

import numpy as np
import scipy

from fastebm._checks import FloatArray

_LEAST, _MOST = 1e-3, 1.0 - 1e-3  # rejections that are believed


class Ladder:
    """Learns from exchanges, and moves the betas between the hottest and 1.

    The mean rejection of exchanges, summed up the ladder, measures how far apart betas are; rungs are laid out so that
    this measure is shared evenly.

    References
    ----------
    S. Syed, A. Bouchard-Cote, G. Deligiannidis and A. Doucet (2022), doi:10.1111/rssb.12464, section 5.

    Attributes
    ----------
    betas : (n_rungs,) rising to 1.
    counts : (2, n_rungs - 1) exchanges accepted and tried since the betas were moved.
    """

    def __init__(self, betas: FloatArray) -> None:
        self.betas = np.array(betas)
        self.counts = np.zeros((2, len(betas) - 1))

    def add(self, accepted: FloatArray, tried: FloatArray) -> None:
        """Take in a round."""
        self.counts += [accepted, tried]

    def move(self) -> None:
        """Share out what was seen, if every pair was tried; the ends stay."""
        accepted, tried = self.counts
        self.counts = np.zeros_like(self.counts)
        if not (tried > 0.0).all():
            return
        apart = np.concatenate([[0.0], np.cumsum(np.clip(1.0 - accepted / tried, _LEAST, _MOST))])
        between = scipy.interpolate.PchipInterpolator(apart, np.log(self.betas))
        self.betas[1:-1] = np.exp(between(np.linspace(0.0, apart[-1], len(apart))[1:-1]))
