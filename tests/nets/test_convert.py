import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.nets.test_hrnet import tiny as tiny_hrnet
from tests.nets.test_simplebaselines import tiny as tiny_simplebaseline
from vitruvian.core.errors import WeightsError
from vitruvian.nets import convert, hrnet, resnet, simplebaselines
from vitruvian.nets.hrnet import HRNetTrunk
from vitruvian.nets.resnet import ResNet


def _small() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


def _filled(net: nn.Module) -> dict[str, torch.Tensor]:
    return {
        key: torch.full_like(x, 0.5) for key, x in net.state_dict().items() if x.is_floating_point()
    }


def _flat(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix("trunk."): x for key, x in state.items()}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_survive_a_file(tmp_path, suffix):
    net, path = _small(), tmp_path / f"weights{suffix}"
    state = {key: x.clone() for key, x in net.state_dict().items()}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    assert convert.load(net, convert.read(path)) == "ours"
    assert all(torch.equal(net.state_dict()[key], x) for key, x in state.items())


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrappers_and_the_prefix_of_data_parallel_are_taken_off(tmp_path, wrapper):
    state = {f"module.module.{key}": x for key, x in _small().state_dict().items()}
    torch.save({wrapper: state, "epoch": 3, "perf": np.float64(0.7)}, tmp_path / "last.pth")
    assert convert.read(tmp_path / "last.pth").keys() == _small().state_dict().keys()


def test_a_name_beside_the_weights_is_not_taken_for_them(tmp_path):
    state = _small().state_dict()
    torch.save({"model": "pose_hrnet", "best_state_dict": state}, tmp_path / "best.pth")
    assert convert.read(tmp_path / "best.pth").keys() == state.keys()


class Loaded:
    def __reduce__(self):
        return (eval, ("1/0",))


def test_a_pickle_with_code_is_refused_with_the_safe_way_and_runs_nothing(tmp_path):
    torch.save({"state_dict": Loaded()}, tmp_path / "evil.pth")
    with pytest.raises(
        WeightsError, match=r"nothing of it was run.*torch\.save\(model\.state_dict"
    ):
        convert.read(tmp_path / "evil.pth")


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors", "empty.pth", "text.pth"])
def test_a_damaged_file_is_refused_by_name(tmp_path, name):
    torch.save(_small().state_dict(), tmp_path / "whole.pth")
    content = {"cut": (tmp_path / "whole.pth").read_bytes()[:500], "empty": b"", "text": b"hello\n"}
    (tmp_path / name).write_bytes(content[name.split(".")[0]])
    with pytest.raises(WeightsError, match=name):
        convert.read(tmp_path / name)


def test_an_empty_file_is_said_to_end_too_early(tmp_path):
    (tmp_path / "empty.pth").touch()
    with pytest.raises(WeightsError, match="it ends too early"):
        convert.read(tmp_path / "empty.pth")


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pth"):
        convert.read(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("content", [{"epoch": 3, "lr": 0.1}, [torch.zeros(1)], {}])
def test_a_file_without_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth"):
        convert.read(tmp_path / "other.pth")


def test_weights_older_than_batch_counters_load():
    net = _small()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    convert.load(net, state)


def test_unused_missing_and_misshapen_weights_are_all_named():
    state = _small().state_dict()
    state["extra.weight"] = state.pop("1.bias")
    state["0.weight"] = torch.zeros(4, 3, 1, 1)
    with pytest.raises(WeightsError) as caught:
        convert.load(_small(), state)
    message = str(caught.value)
    assert "no place for extra.weight" in message
    assert "nothing for 1.bias" in message
    assert "0.weight (4, 3, 1, 1) in the file, (2, 3, 1, 1) here" in message


def test_a_network_is_left_alone_when_its_weights_do_not_fit():
    net, state = _small(), _small().state_dict()
    before = net[0].weight.clone()
    state.pop("1.bias")
    state["0.weight"] = torch.zeros(2, 3, 1, 1)
    with pytest.raises(WeightsError):
        convert.load(net, state)
    assert torch.equal(net[0].weight, before)


def test_two_keys_for_one_parameter_are_refused():
    state = _small().state_dict()
    state["old.0.weight"] = state["0.weight"]
    with pytest.raises(WeightsError, match=r"no place for old\.0\.weight"):
        convert.load(_small(), state, {"old": ((r"old\.", ""),)})


def test_another_number_of_keypoints_is_explained_and_a_fresh_head_loads():
    state = _filled(tiny_hrnet())
    state["final_layer.weight"], state["final_layer.bias"] = torch.ones(9, 4, 3, 3), torch.ones(9)
    net = tiny_hrnet()
    with pytest.raises(WeightsError, match=r"--fresh final_layer\."):
        convert.load(net, _flat(state), hrnet.LAYOUTS)
    head = net.final_layer.weight.clone()
    convert.load(net, _flat(state), hrnet.LAYOUTS, fresh=("final_layer.",))
    assert torch.equal(net.final_layer.weight, head)
    assert net.trunk.conv1.weight.mean() == 0.5


@pytest.mark.parametrize(
    "build, layouts",
    [(tiny_hrnet, hrnet.LAYOUTS), (tiny_simplebaseline, simplebaselines.LAYOUTS)],
)
def test_mmpose_names_load(build, layouts):
    net = build()
    heads = {"deconv_layers": "keypoint_head.deconv_layers", "final_layer": "head.final_layer"}
    state = {
        key.replace("trunk.", "backbone.").replace(top := key.split(".")[0], heads.get(top, top)): x
        for key, x in _filled(net).items()
    }
    state["data_preprocessor.mean"] = torch.zeros(3, 1, 1)
    assert convert.load(net, state, layouts) == "mmpose"
    assert net.final_layer.bias.min() == 0.5


def test_imagenet_resnet_fills_the_trunk_and_its_classifier_is_left_out():
    trunk = tiny_simplebaseline().trunk
    state = _filled(trunk) | {"fc.weight": torch.ones(1000, 512), "fc.bias": torch.ones(1000)}
    assert convert.load(trunk, state, resnet.IMAGENET) == "torchvision"
    assert trunk.layer4[1].conv2.weight.mean() == 0.5


def test_imagenet_resnet_of_another_depth_is_refused():
    with pytest.raises(WeightsError, match="more"):
        convert.load(ResNet(18), _filled(ResNet(34)), resnet.IMAGENET)


def _imagenet_hrnet(trunk: HRNetTrunk) -> dict[str, torch.Tensor]:
    left_out = (
        "incre_modules.0.0.conv1.weight",
        "downsamp_modules.0.0.weight",
        "final_layer.0.weight",
        "classifier.weight",
        "head.0.0.0.conv1.weight",
        "stage4.1.fuse_layers.1.0.0.0.weight",
        "stage4.1.fuse_layers.3.2.0.1.running_var",
    )
    return _filled(trunk) | {key: torch.ones(1) for key in left_out}


def test_imagenet_hrnet_fills_the_trunk_and_its_classifier_is_left_out():
    trunk = tiny_hrnet().trunk
    assert convert.load(trunk, _imagenet_hrnet(trunk), hrnet.IMAGENET) == "authors"
    assert trunk.stage4[1].fuse_layers[0][3][0].weight.mean() == 0.5


def test_imagenet_hrnet_must_fill_the_exchange_that_the_trunk_has():
    trunk = tiny_hrnet().trunk
    state = _imagenet_hrnet(trunk)
    del state["stage4.0.fuse_layers.1.0.0.0.weight"]
    with pytest.raises(
        WeightsError, match=r"nothing for stage4\.0\.fuse_layers\.1\.0\.0\.0\.weight"
    ):
        convert.load(trunk, state, hrnet.IMAGENET)


def test_a_run_starts_from_the_whole_network_or_from_an_imagenet_trunk():
    whole, trunk = tiny_hrnet(), tiny_hrnet()
    assert convert.start(whole, _flat(_filled(whole))) == "network (authors)"
    assert whole.final_layer.bias.min() == 0.5
    assert convert.start(trunk, _imagenet_hrnet(trunk.trunk)) == "trunk (authors)"
    assert trunk.trunk.conv1.weight.mean() == 0.5
    assert trunk.final_layer.bias.max() == 0


def test_a_run_does_not_start_from_weights_of_another_network():
    with pytest.raises(WeightsError, match="do not fit HRNet"):
        convert.start(tiny_hrnet(), _flat(_filled(tiny_simplebaseline())))


def test_a_network_without_trunk_starts_from_its_own_weights():
    assert (
        convert.start(
            nn.Sequential(nn.Linear(2, 1)), {"0.weight": torch.ones(1, 2), "0.bias": torch.ones(1)}
        )
        == "network (ours)"
    )
