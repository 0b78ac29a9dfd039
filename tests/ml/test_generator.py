import numpy as np
import pytest


def test_a_signature_does_not_depend_on_how_the_patch_lies(demo_generator):
    patch = np.random.default_rng(0).normal(0, 0.2, (1, *demo_generator.net.patch_zyx)).astype(np.float32)
    patch[:, 4:8, 8:16, 20:34] -= 0.6
    turned = np.ascontiguousarray(patch.transpose(0, 1, 3, 2)[:, ::-1, :, ::-1])
    assert demo_generator.signatures(turned)[0] == pytest.approx(demo_generator.signatures(patch)[0], abs=0.03)
    assert np.abs(demo_generator.encode(turned) - demo_generator.encode(patch)).max() > 0.1


def test_quiet_decoding_is_decoding_without_noise_and_near_the_mean_of_many_draws(demo_generator):
    import torch

    class Silence:
        def draw(self, shape):
            return torch.zeros(shape)

    bank = demo_generator.bank
    source = bank.normal_codes[:1]
    target = source + bank.directions[:1]
    quiet = demo_generator.decode_quietly_hu(target)
    with torch.inference_mode():
        plain = demo_generator.decoder(torch.from_numpy(target), Silence())[0, 0].float().numpy() * 80
    assert np.abs(quiet - plain).max() < 1
    difference = quiet - demo_generator.decode_quietly_hu(source)
    mean = demo_generator.decode_difference_hu(source, target, seed=7, draws=16)[0]
    two = demo_generator.decode_difference_hu(source, target, seed=99, draws=2)[0]
    assert ((difference - mean) ** 2).mean() < ((two - mean) ** 2).mean()
