"""Does the generator repeat its training lesions? Distances of inserted and of real held-out lesions to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.evaluation.bootstrap import difference, permuted
from ml.patches.case import Volume

# Noise is no memory: widths (z, y, x) of the low-pass before patches are compared.
SMOOTHING_PX = (0.5, 1.0, 1.0)
# Half of what is compared around a lesion within its slice, in samples of the patch.
RADIUS_PX = 14


def nearest_distances(patches: NDArray[np.float32], training: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root mean square difference to the nearest training patch, whichever way it is mirrored in its plane.

    Args:
        patches, training: (n, Z, Y, X) and (m, Z, Y, X) in HU / 80. A low-pass takes the noise off, and
            only the middle is compared, so that it is the lesion that is looked at.

    Returns:
        n distances in HU / 80.
    """
    known = np.concatenate([_view(training[..., ::a, ::b]) for a in (1, -1) for b in (1, -1)])
    rows = _view(patches)
    squared = (rows**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * rows @ known.T
    return np.asarray(np.sqrt(np.maximum(squared.min(1), 0) / rows.shape[1]))


def _view(patches: NDArray[np.float32]) -> NDArray[np.float64]:
    z, y, x = (n / 2 for n in patches.shape[1:])
    low = ndimage.gaussian_filter(patches, (0, *SMOOTHING_PX)).astype(np.float64)
    zs, ys, xs = (slice(int(max(0, m - r)), int(m + r)) for m, r in ((z, 4), (y, RADIUS_PX), (x, RADIUS_PX)))
    return low[:, zs, ys, xs].reshape(len(patches), -1)


def ratio_of_medians(inserted: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Below 1 the inserted lesions lie nearer to the training lesions than real ones do."""
    return float(np.median(inserted) / max(float(np.median(real)), 1e-9))


def memorisation(
    inserted: list[Volume],
    inserted_patients: list[str],
    real: list[Volume],
    real_patients: list[str],
    training: list[Volume],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Ratio of the median distances (with a patient bootstrap) and the one-sided p that inserted ones lie nearer."""
    known = np.stack(training)
    near, far = (nearest_distances(np.stack(p), known) for p in (inserted, real))
    groups = (near, inserted_patients, far, real_patients)
    ratio = difference(*groups, statistic=ratio_of_medians, seed=seed)
    null = permuted(*groups, statistic=ratio_of_medians, seed=seed)
    p = (1 + int((null <= ratio_of_medians(near, far)).sum())) / (1 + len(null))
    return {
        "ratio": ratio.to_dict(),
        "p": p,
        "training_lesions": len(training),
        "median_distance_inserted": float(np.median(near)),
        "median_distance_real": float(np.median(far)),
    }
