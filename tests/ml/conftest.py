import numpy as np
import pytest

from ml.geometry import Grid
from ml.phantom import PhantomConfig, make_phantom


@pytest.fixture(scope="session")
def phantom():
    """A portal-venous phantom with several lesions."""
    config = PhantomConfig(phase="portal", kernel="standard", photons=1.8e5, lesion_count=7)
    return make_phantom(20001, config)


@pytest.fixture(scope="session")
def demo_generator():
    from ml.generator.files import load_generator

    return load_generator(device="cpu")


@pytest.fixture(scope="session")
def deep_voxel(phantom):
    """A voxel well inside the lesion-free liver, away from the first and last slices."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(phantom.liver & (phantom.labels == 0), sampling=phantom.grid.spacing_zyx_mm)
    depth[:7] = depth[-7:] = 0
    return np.array(np.unravel_index(depth.argmax(), depth.shape), float)


@pytest.fixture
def oblique_grid():
    turn = np.linalg.qr(np.array([[0.9, 0.3, -0.1], [-0.2, 0.95, 0.2], [0.15, -0.1, 1.0]]))[0]
    return Grid((7, 9, 11), (3.0, 0.8, 0.7), (-12.5, 40.0, 7.25), tuple(turn.ravel()))
