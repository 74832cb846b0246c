import pytest
import torch

from vitruvian.core.errors import InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.openpose import LAYOUTS, OpenPose, openpose, openpose_body25


def tiny() -> OpenPose:
    """What the contract tests run."""
    return openpose(4, 6, stages=2)


@pytest.mark.parametrize(
    "build, expected",
    [
        (openpose, 52_311_446),
        (lambda: openpose(16, 28), 51_481_032),
        (openpose_body25, 26_166_084),
    ],
    ids=["COCO", "MPII", "BODY_25"],
)
def test_size_equals_the_authors_network(build, expected):
    with torch.device("meta"):
        assert parameters(build()) == expected


def test_every_stage_of_cvpr_gives_both_fields():
    with torch.device("meta"):
        stages = openpose()(torch.empty(2, 3, 64, 48))
    shapes = {"heatmap": (2, 19, 8, 6), "paf": (2, 38, 8, 6)}
    assert [{k: tuple(v.shape) for k, v in stage.items()} for stage in stages] == [shapes] * 6


def test_pami_predicts_fields_first_and_both_in_the_last_stage():
    with torch.device("meta"):
        stages = openpose_body25()(torch.empty(1, 3, 64, 48))
    assert [[*stage] for stage in stages] == [["paf"]] * 3 + [["heatmap"], ["heatmap", "paf"]]
    assert stages[-1]["paf"].shape == (1, 52, 8, 6)
    assert stages[-1]["heatmap"].shape == (1, 26, 8, 6)


def _caffe_body25() -> dict[str, torch.Tensor]:
    """Keys and shapes of the Caffe model, each tensor filled with its own number."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, outputs: int, inputs: int, kernel: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        shapes[f"{name}.bias"] = (outputs,)

    widths = {"1_1": 64, "1_2": 64, "2_1": 128, "2_2": 128, "3_1": 256, "3_2": 256, "3_3": 256}
    inputs = 3
    for name, width in {**widths, "3_4": 256, "4_1": 512, "4_2": 512}.items():
        conv(f"conv{name}", width, inputs, 3)
        inputs = width
    conv("conv4_3_CPM", 256, 512, 3)
    conv("conv4_4_CPM", 128, 256, 3)
    for name, width in {"4_2": 512, "4_3_CPM": 256, "4_4_CPM": 128}.items():
        shapes[f"prelu{name}.weight"] = (width,)
    stages = [("L2", 0, 128, 52), *(("L2", n, 180, 52) for n in (1, 2, 3))]
    for branch, stage, seen, outputs in [*stages, ("L1", 0, 180, 26), ("L1", 1, 206, 26)]:
        width, hidden = (96, 256) if stage == 0 else (128, 512)
        at = f"stage{stage}_{branch}"
        for block in range(1, 6):
            first = seen if block == 1 else 3 * width
            for part, inputs in enumerate((first, width, width)):
                conv(f"Mconv{block}_{at}_{part}", width, inputs, 3)
                shapes[f"Mprelu{block}_{at}_{part}.weight"] = (width,)
        conv(f"Mconv6_{at}", hidden, 3 * width, 1)
        shapes[f"Mprelu6_{at}.weight"] = (hidden,)
        conv(f"Mconv7_{at}", outputs, hidden, 1)
    return {name: torch.full(shape, float(n)) for n, (name, shape) in enumerate(shapes.items())}


def test_the_caffe_names_of_body25_find_their_layers():
    net, state = openpose_body25(), _caffe_body25()

    assert convert.load(net, state, LAYOUTS) == "pami 2019"

    ours = net.state_dict()
    for caffe, name in {
        "prelu4_2.weight": "trunk.conv4_2_act.weight",
        "prelu4_4_CPM.weight": "features.conv4_4_act.weight",
        "Mconv1_stage0_L2_0.weight": "paf.stage0.Mconv1.0.conv.weight",
        "Mprelu5_stage3_L2_2.weight": "paf.stage3.Mconv5.2.conv_act.weight",
        "Mconv7_stage1_L1.bias": "heatmap.stage1.head.Mconv7.bias",
        "Mprelu6_stage0_L1.weight": "heatmap.stage0.head.Mconv6_act.weight",
    }.items():
        assert torch.equal(ours[name], state[caffe])


def test_input_that_does_not_divide_by_8_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 368 x 656"):
        tiny()(torch.zeros(1, 3, 368, 654))
