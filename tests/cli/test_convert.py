"""Checkpoints that are not what they were taken for: what is said, and that nothing is written."""

import pytest

torch = pytest.importorskip("torch")

from vitruvian.core.lookup import find  # noqa: E402
from vitruvian.systems.efficientpose import efficientpose_rt_mpii_224x224  # noqa: E402

RT = "efficientpose_rt_mpii_224x224"


@pytest.fixture(scope="module")
def state():
    page = efficientpose_rt_mpii_224x224()
    torch.manual_seed(0)
    return find("vitruvian.nets", page.net)(**page.net_args).state_dict()


def converted(vitruvian, state, system=RT, *words):
    torch.save(state, "given.pth")
    return vitruvian("convert", system, "given.pth", "-o", "out.safetensors", *words)


@pytest.mark.parametrize("wrapper, prefix", [(None, ""), ("state_dict", "module."), ("model", "")])
def test_wrappers_prefixes_and_half_precision_come_off(vitruvian, work, state, wrapper, prefix):
    given = {prefix + key: x.half() if x.is_floating_point() else x for key, x in state.items()}
    done = converted(vitruvian, {wrapper: given} if wrapper else given)
    assert done.code == 0
    assert "network (ours) of given.pth" in done.out
    from safetensors.torch import load_file

    found = load_file("out.safetensors")
    key = "confs.weight"
    assert found[key].dtype == torch.float32
    assert torch.equal(found[key], state[key].half().float())


def test_weights_of_another_system_say_of_which(vitruvian, work, state):
    done = converted(vitruvian, state, "efficientpose_i_mpii_256x256")
    assert done.code == 1
    assert "nothing for" in done.err
    assert f"they fit {RT!r}: is it that system?" in done.err
    assert not (work / "out.safetensors").exists()


def test_weights_of_another_family_say_of_which(vitruvian, work, state, monkeypatch):
    monkeypatch.setattr("vitruvian.train.recognise.names", lambda _: [RT, "rtmpose_t_256x192"])
    done = converted(vitruvian, state, "rtmpose_t_256x192")
    assert f"they fit {RT!r}" in done.err


def test_export_of_weights_of_another_system_says_of_which(vitruvian, work, state):
    torch.save(state, "given.pth")
    done = vitruvian("export", "efficientpose_i_mpii_256x256", "given.pth", "-o", "out.onnx")
    assert done.code == 1
    assert f"they fit {RT!r}: is it that system?" in done.err
    assert not (work / "out.onnx").exists()


def test_export_of_weights_under_their_authors_names_asks_to_convert_them(
    vitruvian, work, state, monkeypatch
):
    monkeypatch.setattr("vitruvian.nets.efficientpose.LAYOUTS", {"theirs": ((r"theirs\.", ""),)})
    torch.save({f"theirs.{key}": value for key, value in state.items()}, "given.pth")
    done = vitruvian("export", RT, "given.pth", "-o", "out.onnx")
    assert done.code == 1
    assert f"vitruvian convert {RT} FILE -o OUT.safetensors" in done.err
    assert not (work / "out.onnx").exists()


def test_half_a_checkpoint_says_what_it_lacks(vitruvian, work, state):
    half = dict(list(state.items())[: len(state) // 2])
    done = converted(vitruvian, half)
    assert done.code == 1
    assert "nothing for" in done.err
    assert "they fit" not in done.err
    assert not (work / "out.safetensors").exists()


def test_another_number_of_keypoints_offers_a_new_head(vitruvian, work, state):
    more = ("--set", "net_args.channels=14")
    done = converted(vitruvian, state, RT, *more)
    assert done.code == 1
    assert "(16, 120, 1, 1) in the file, (14, 120, 1, 1) here" in done.err
    offered = done.err.split("start these anew: ")[1].split()[:2]
    assert offered[0] == "--fresh"
    done = converted(vitruvian, state, RT, *more, *offered)
    assert done.code == 0


def test_a_pickle_with_code_is_not_run_and_the_safe_way_is_shown(vitruvian, work):
    class Trap:
        def __reduce__(self):
            return open, ("trapped", "w")

    done = converted(vitruvian, {"state_dict": Trap()})
    assert done.code == 1
    assert "torch.save(model.state_dict(), 'weights.pth')" in done.err
    assert not (work / "trapped").exists()
