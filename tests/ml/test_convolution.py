import pytest
import torch

from ml.nets.autoencoder import Decoder, Encoder, half_pays
from ml.nets.config import NetConfig
from ml.nets.convolution import Convolution
from ml.nets.critics import JointCritic


@pytest.mark.parametrize(("kernel", "stride"), [((3, 3, 3), (1, 1, 1)), ((3, 3, 3), (2, 2, 2)), ((1, 3, 3), (1, 2, 2))])
def test_one_patch_gives_what_it_gives_among_others(kernel, stride):
    torch.manual_seed(0)
    layer = Convolution(6, 5, kernel, stride=stride, padding=(kernel[0] // 2, 1, 1)).eval()
    patches = torch.randn(3, 6, 8, 16, 16)
    with torch.inference_mode():
        among, alone = layer(patches)[:1], layer(patches[:1])
        plain = torch.nn.functional.conv3d(patches, layer.weight, layer.bias, layer.stride, layer.padding)[:1]
    torch.testing.assert_close(alone, among, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_one_patch_can_be_learned_from(training):
    layer = Convolution(1, 2, 3, padding=1).train(training)
    layer(torch.randn(1, 1, 4, 8, 8)).square().mean().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_two_slices_are_padded_where_gradients_are_wanted_in_half_precision(monkeypatch):
    """On every processor, so that this fails too where the kernels are right."""
    seen, real = [], torch.nn.functional.conv3d
    monkeypatch.setattr(
        torch.nn.functional, "conv3d", lambda patches, *rest: seen.append(patches.shape[2]) or real(patches, *rest)
    )
    layer = Convolution(2, 3, 3, padding=1)
    for slices in (2, 3):
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.randn(2, 2, slices, 5, 5)).shape == (2, 3, slices, 5, 5)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        layer(torch.randn(2, 2, 2, 5, 5))
    assert seen[0] == 4
    assert all(slices in {2, 3} for slices in seen[1:])


def test_every_network_that_is_trained_uses_it():
    config = NetConfig()
    for network in (Encoder(config), Decoder(config), JointCritic(config)):
        layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv3d) and max(m.kernel_size) > 1]
        assert layers
        assert all(isinstance(layer, Convolution) for layer in layers)


def leave_behind(value):
    """Free memory of many sizes full of a value."""
    for memory in [torch.full((2**size,), value) for size in range(4, 20)]:
        del memory


def test_weight_gradients_in_half_precision_hold_no_unwritten_memory():
    if not half_pays(torch.device("cpu")):
        pytest.skip("this processor has no bfloat16: training does not use it here")
    torch.manual_seed(0)
    layer = Convolution(32, 32, 3, padding=1)
    for slices in (1, 2, 3, 4):
        patches = torch.randn(4, 32, slices, 5, 5)
        # What is freed here is what a kernel finds that reads memory before writing it.
        leave_behind(1e30)
        with torch.autocast("cpu", torch.bfloat16):
            features = layer(patches)
        (half,) = torch.autograd.grad(features.float().square().sum(), layer.weight)
        plain = torch.nn.functional.conv3d(patches, layer.weight, layer.bias, padding=1)
        (full,) = torch.autograd.grad(plain.square().sum(), layer.weight)
        assert (half - full).abs().max() < 0.05 * full.abs().max()
