"""What a training is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ml.errors import TrainingError
from ml.patches.sampling import Population

Objective: TypeAlias = Literal["iae", "iae_content", "aae", "ae"]


@dataclass(frozen=True)
class TrainConfig:
    """Objective and schedule.

    "iae" is the pure form (two critics, no pixel loss), "iae_content" adds the content term, "aae" keeps the
    code critic and a pixel loss, "ae" the pixel loss alone. ``pool`` patches are drawn once and reused (0 draws
    fresh ones for every batch). ``validation_share`` of the patients is held out; the run stops when their
    content error has not fallen for ``patience`` checks of 200 steps (0 never stops early).
    """

    objective: Objective = "iae_content"
    population: Population = "all"
    steps: int = 3000
    batch: int = 16
    learning_rate: float = 6e-4
    critic_rate: float = 1.5
    adversarial_weight: float = 0.5
    content_weight: float = 10.0
    prior_weight: float = 0.1
    warm_steps: int = 60
    slow_share: float = 0.3
    average: float = 0.995
    pool: int = 0
    validation_share: float = 0.0
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        # A batch of one has no second patch whose code the critic could be shown beside the first.
        if self.steps < 1 or self.batch < 2 or self.pool < 0 or self.patience < 0:
            raise TrainingError("Steps must be at least 1, batch at least 2, pool and patience at least 0.")
        if not 0 <= self.validation_share <= 0.5:
            raise TrainingError("At most half of the patients can be held out for validation.")
        if self.patience and not self.validation_share:
            raise TrainingError("Stopping early needs held-out patients: set a validation share.")

    @property
    def adversarial(self) -> bool:
        """Whether a critic compares pairs of patch and code."""
        return self.objective in {"iae", "iae_content"}

    @property
    def with_prior(self) -> bool:
        """Whether the codes are pulled to the prior."""
        return self.objective != "ae"


# What a training from given weights is asked for where nobody says otherwise. Encoder and decoder move slowly, so that
# what they know is bent and not lost; the critics begin anew and learn as fast as in any training. Set by hand.
FINE_TUNING = TrainConfig(steps=600, learning_rate=1.5e-4, critic_rate=6.0)
