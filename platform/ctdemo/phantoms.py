"""The making of the demo's phantoms in several processes; knows no Django, so that a process starts fast."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

FIRST_SEED = 4101


def make_phantoms(numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each phantom follows from its own seed, so how many processes make them changes nothing."""
    workers = min(len(numbers), os.cpu_count() or 1)
    # Threads inside each process would fight over the cores that the processes already use.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from zip(numbers, pool.map(make_one, numbers), strict=True)


def make_one(number: int) -> dict[str, Any]:
    from ml.phantom import PhantomConfig, make_phantom

    phantom = make_phantom(FIRST_SEED + number, PhantomConfig())
    return {
        "grid": phantom.grid,
        "hu": phantom.hu,
        "lesion_free_hu": phantom.lesion_free_hu,
        "liver": phantom.liver,
        "labels": phantom.labels,
        "vessels": phantom.vessels,
        "kinds": {lesion.label: lesion.kind for lesion in phantom.lesions},
        "acquisition": phantom.config,
    }
