"""What simulated readers see of cases, and the six levels they say it on."""

import numpy as np


def looks(random: np.random.Generator, patients: np.ndarray) -> np.ndarray:
    """What all readers share of each case (cases,): .3 of the latent variance is its patient's, .3 its own."""
    return np.sqrt(0.3) * (random.normal(size=patients.max() + 1)[patients] + random.normal(size=len(patients)))


def levels(latent: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.round(1.5 * latent + 3.5), 1, 6))
