import numpy as np
import pytest


def test_a_signature_does_not_depend_on_how_the_patch_lies(demo_generator):
    patch = np.random.default_rng(0).normal(0, 0.2, (1, *demo_generator.net.patch_zyx)).astype(np.float32)
    patch[:, 4:8, 8:16, 20:34] -= 0.6
    turned = np.ascontiguousarray(patch.transpose(0, 1, 3, 2)[:, ::-1, :, ::-1])
    assert demo_generator.signatures(turned)[0] == pytest.approx(demo_generator.signatures(patch)[0], abs=0.03)
    assert np.abs(demo_generator.encode(turned) - demo_generator.encode(patch)).max() > 0.1
