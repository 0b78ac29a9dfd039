"""What counting alone reaches where every answer is followed by the truth.

Whoever knows how many cases of each kind there are, and is told each one, guesses at every case the kind of which more
are left. Source: Diaconis & Graham, Ann Stat 1981;9:3 (complete feedback guessing of two kinds of cards).
"""

from __future__ import annotations

import numpy as np


def share_by_counting(*, real: int, synthetic: int) -> float:
    """Expected share of right answers of a reader who never looks, of cases in an order drawn at random."""
    total = real + synthetic
    if total == 0:
        raise ValueError("there is no case to be counted")
    # Expected right answers of what is left, by how many of the left ones are real; one case fewer in every round.
    expected = np.zeros(real + 1)
    for left in range(1, total + 1):
        reals = np.arange(real + 1)
        of_real, of_synthetic = reals / left, (left - reals) / left
        fewer = np.concatenate([[0.0], expected[:-1]])
        following = np.maximum(of_real, of_synthetic) + of_real * fewer + of_synthetic * expected
        # No deal leaves as many of one kind as there are not.
        expected = np.where((reals <= left) & (left - reals <= synthetic), following, 0.0)
    return float(expected[real] / total)
