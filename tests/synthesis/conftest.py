import pytest
from django.conf import settings

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin
from synthesis.generators import services as generators
from tests.factories import make_dataset, make_scan, make_user


@pytest.fixture(scope="session")
def phantom():
    from ml.phantom import PhantomConfig, make_phantom

    return make_phantom(4101, PhantomConfig(size_zyx=(16, 128, 128), slice_mm=4.0))


@pytest.fixture
def phantom_scan(phantom):
    return make_scan(
        make_dataset(make_user()),
        grid=phantom.grid,
        volume=phantom.hu,
        origin=Origin.PHANTOM,
        masks={MaskKind.LIVER: phantom.liver, MaskKind.LESION: phantom.labels, MaskKind.VESSEL: phantom.vessels},
    )


@pytest.fixture
def generator():
    demo = settings.ROOT / "ml" / "weights" / "demo"
    return generators.register(folder=demo, name="Demo", registered_by=make_user())
