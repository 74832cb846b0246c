import h5py
import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.evopose2d import (
    LAYOUTS,
    EvoPose2D,
    evopose2d,
    evopose2d_ancestor,
    evopose2d_l,
    evopose2d_m,
    evopose2d_s,
    evopose2d_xs,
)

ROWS = ((3, 1, 1, 1), (5, 2, 2, 2), (3, 1, 1, 2), (5, 1, 2, 2))


def tiny() -> EvoPose2D:
    """What the contract tests run."""
    return EvoPose2D(ROWS, 3, depth=1.0, width=0.25, drop=0.2, last=1)


@pytest.mark.parametrize(
    "build, trained, counted",
    [
        (evopose2d_xs, 2_496_239, 2_531_199),
        (evopose2d_s, 2_496_239, 2_531_199),
        (evopose2d_m, 7_256_105, 7_341_609),
        (evopose2d_l, 14_566_883, 14_709_587),
    ],
)
def test_size_equals_the_authors_network(build, trained, counted):
    """They count the statistics of the normalisation, too."""
    with torch.device("meta"):
        net = build()
    state = net.state_dict()
    everything = sum(v.numel() for k, v in state.items() if not k.endswith("num_batches_tracked"))
    assert (parameters(net), everything) == (trained, counted)


def test_size_of_the_network_that_the_search_starts_from():
    with torch.device("meta"):
        state = evopose2d_ancestor().state_dict()
    everything = sum(v.numel() for k, v in state.items() if not k.endswith("num_batches_tracked"))
    assert everything == 4_319_533


def _like_keras(net: EvoPose2D) -> dict[str, torch.Tensor]:
    """The state of a network as Keras names and lays it out."""
    variables = {
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
        "bias": "bias",
    }
    found = {}
    for name, tensor in net.state_dict().items():
        parts, leaf = name.split(".")[:-1], name.rsplit(".", 1)[1]
        if leaf == "num_batches_tracked":
            continue
        layer = parts[-1]
        if parts[0] == "blocks":
            layer = f"block{int(parts[1]) + 1}{'abcd'[int(parts[2])]}_{parts[3]}"
        elif parts[0] == "head":
            layer = f"head_block{int(parts[1]) + 1}_{parts[2]}"
        norm = layer.endswith("bn")
        variable = {"weight": "gamma", "bias": "beta"}.get(leaf) if norm else variables.get(leaf)
        variable = variable or variables.get(leaf) or "kernel"
        if layer.endswith("dwconv"):
            variable, tensor = "depthwise_kernel", tensor.permute(2, 3, 0, 1)
        elif tensor.ndim == 4:
            tensor = tensor.permute(2, 3, 1, 0)
        found[f"model_weights/{layer}/{layer}/{variable}:0"] = tensor
    return found


def test_a_checkpoint_of_the_authors_fills_the_network(tmp_path):
    torch.manual_seed(0)
    theirs, ours = tiny().eval(), tiny().eval()
    x = torch.randn(1, 3, 64, 48)
    with h5py.File(tmp_path / "evopose2d.h5", "w") as file:
        for place, tensor in _like_keras(theirs).items():
            file[place] = tensor.numpy()
        file["optimizer_weights/Adam/iterations:0"] = 7

    state = convert.read(tmp_path / "evopose2d.h5")
    assert convert.load(ours, state, LAYOUTS) == "keras"

    with torch.inference_mode():
        expected, found = (net(x)[0]["heatmap"] for net in (theirs, ours))
    torch.testing.assert_close(255 * found, expected, rtol=1e-5, atol=1e-6)


def test_a_doubling_is_the_adjoint_of_a_strided_convolution_of_tensorflow():
    """TensorFlow pads a strided 3 x 3 convolution of an even side at the end only."""
    up = tiny().head[1].conv
    torch.manual_seed(0)
    small, large = torch.randn(1, 32, 4, 3), torch.randn(1, 32, 8, 6)
    padded = torch.nn.functional.pad(large, (0, 1, 0, 1))
    down = torch.nn.functional.conv2d(padded, up.weight, stride=2)
    with torch.inference_mode():
        one = (down * small).sum()
        other = (large * up(small)[..., :-1, :-1]).sum()
    assert one.item() == pytest.approx(other.item(), rel=1e-4)


def test_a_larger_input_makes_the_network_deeper_and_wider():
    with torch.device("meta"):
        small, large = evopose2d(ROWS), evopose2d(ROWS, resolution=448)
    assert [len(stage) for stage in small.blocks] == [1, 2, 1, 1]
    assert [len(stage) for stage in large.blocks] == [3, 5, 3, 3]
    assert large.stem_conv.out_channels == 48


def test_input_that_does_not_divide_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 64 x 48"):
        tiny()(torch.zeros(1, 3, 64, 50))


@pytest.mark.parametrize(
    "rows, say",
    [
        ((), "at least one stage"),
        (((3, 1, 2, 2),) * 5, "at most 4 strides"),
        (((4, 1, 2, 1),), r"kernel \(odd\)"),
        (((3, 0, 2, 1),), "expected"),
        (((3, 1, 2),), "expected"),
    ],
)
def test_a_genome_outside_the_space_is_refused(rows, say):
    with pytest.raises(ConfigError, match=say):
        evopose2d(rows)
