import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from ml.generator.exact import EXACT_SINGLE, LARGEST_FEATURE, ExactConvolution, ExactDecoder, ExactEncoder, ExactNorm
from ml.nets.autoencoder import Decoder, Encoder
from ml.nets.config import NetConfig
from ml.nets.convolution import Convolution

SLAB = NetConfig(patch_zyx=(5, 40, 40), spacing_zyx_mm=(2.5, 1.4, 1.4))


def layer(inputs, outputs, stride=1):
    torch.manual_seed(0)
    return Convolution(inputs, outputs, 3, stride=stride, padding=1).requires_grad_(requires_grad=False)


def largest_everywhere(weights, shape):
    """Features of the largest size whose signs fit a channel's weights: the largest sum that there can be."""
    features = torch.full(shape, float(LARGEST_FEATURE))
    features[0, :, 3:6, 3:6, 3:6] *= torch.sign(weights)
    return features


def test_no_sum_leaves_the_whole_numbers_of_single_precision():
    """At the largest features, too; summed in whole numbers by another program it is the same sum."""
    convolution = ExactConvolution(layer(64, 8))
    weights = convolution.weight.double().numpy()
    assert np.abs(weights).sum((1, 2, 3, 4)).max() * LARGEST_FEATURE <= EXACT_SINGLE
    assert np.abs(weights).sum((1, 2, 3, 4)).min() * LARGEST_FEATURE > 0.8 * EXACT_SINGLE
    features = largest_everywhere(convolution.weight[0], (1, 64, 9, 9, 9))
    done, _ = convolution(features.clone())
    whole = weights[0].astype(np.int64)
    expected = sum(
        ndimage.correlate(features[0, c].numpy().astype(np.int64), whole[c], mode="constant") for c in range(64)
    )
    assert np.array_equal(done[0, 0].numpy(), expected)
    assert done[0, 0, 4, 4, 4] > 0.8 * EXACT_SINGLE


@pytest.mark.parametrize("grow", [(1, 1, 1), (2, 2, 2), (1, 2, 2)])
def test_growing_and_convolving_is_one_convolution(grow):
    plain = layer(12, 6)
    features = torch.randn(1, 12, 4, 10, 10)
    done, step = ExactConvolution(plain, grow=grow)(features.clone())
    expected = functional.conv3d(functional.interpolate(features, scale_factor=grow), plain.weight, None, 1, 1)
    found = done * torch.from_numpy(step).float()[:, None, None, None]
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
    again, _ = ExactConvolution(plain)(functional.interpolate(features, scale_factor=grow))
    assert torch.equal(done, again)


def test_normalisation_is_that_of_the_group():
    norm = torch.nn.GroupNorm(4, 12)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    whole = torch.randint(-(2**22), 2**22, (1, 12, 4, 6, 6)).float()
    step, bias = np.random.default_rng(0).uniform(1e-6, 2e-6, 12), np.random.default_rng(1).normal(0, 1, 12)
    factor, summand = ExactNorm(norm)(whole, step, bias)
    per_channel = (slice(None), None, None, None)
    values = whole[0].double().numpy() * step[per_channel] + bias[per_channel]
    with torch.no_grad():
        expected = norm.double()(torch.from_numpy(values)[None])[0].numpy()
    assert np.allclose(whole[0].double().numpy() * factor[per_channel] + summand[per_channel], expected, atol=1e-5)


@pytest.mark.parametrize("net", [NetConfig(), SLAB], ids=["volume", "slab"])
def test_exact_networks_compute_what_they_were_made_from(net):
    torch.manual_seed(1)
    encoder, decoder = Encoder(net).eval(), Decoder(net).eval()
    patch = np.random.default_rng(2).normal(0, 0.5, net.patch_zyx).astype(np.float32)

    class Silence:
        def draw(self, shape):
            return torch.zeros(shape)

    with torch.inference_mode():
        code = encoder(torch.from_numpy(patch)[None, None])[0].numpy()
        decoded = decoder(torch.from_numpy(code)[None], Silence())[0, 0].numpy()
        found_code, found = ExactEncoder(encoder)(patch), ExactDecoder(decoder)(code)
    assert found_code.dtype == found.dtype == np.float32
    assert np.abs(found_code - code).std() < 0.05 * code.std()
    assert np.abs(found - decoded).std() < 0.05 * decoded.std()
