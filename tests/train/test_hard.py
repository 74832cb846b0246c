from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from vitruvian.core.config import to_json
from vitruvian.core.errors import ConfigError, InputError, WeightsError
from vitruvian.datasets import open_dataset
from vitruvian.systems.spec import System
from vitruvian.train import hard
from vitruvian.train.checkpoint import write_tensors
from vitruvian.train.device import Device
from vitruvian.train.feed import Feed, People
from vitruvian.train.hard import hard_people, similarities
from vitruvian.train.loop import build

CPU = Device(name="cpu", bf16=False)


@pytest.fixture
def judged(system: System) -> System:
    """The system, of a skeleton with sigmas."""
    bones = replace(system.skeleton, sigmas=(0.1,) * 5)
    return replace(system, skeleton=bones, codec=replace(system.codec, skeleton=bones))


def _weights(path: Path, system: System) -> Path:
    net: nn.Module = build(system)
    write_tensors(path, dict(net.state_dict()), {"system": to_json(system), "provenance": {}})
    return path


def test_everybody_is_judged_once_by_the_pose_in_the_true_box(
    dots: Path, judged: System, tmp_path: Path
) -> None:
    data = [open_dataset(f"coco:{dots}")]
    found = similarities(data, _weights(tmp_path / "a.safetensors", judged), CPU, batch=5)
    assert found.shape == (12,)
    assert ((found >= 0) & (found <= 1)).all()


def test_hard_people_alone_are_drawn(
    dots: Path, judged: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [open_dataset(f"coco:{dots}")]
    people = People(data, judged)
    monkeypatch.setattr(hard, "similarities", lambda *_: np.array([0.1, 0.9, 0.79, 0.8] * 3))
    chosen = hard_people(people, data, Path("judge"), 0.8, CPU)
    assert chosen.rows.tolist() == [0, 2, 4, 6, 8, 10]
    assert chosen.groups == [people.groups[row] for row in chosen.rows]
    ours = chosen.item(1, np.random.default_rng(0))
    theirs = people.item(2, np.random.default_rng(0))
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert next(iter(Feed(chosen, judged).epoch(0))).rows.max() < 6
    with pytest.raises(InputError, match=r"below 0\.05; the lowest is 0\.10"):
        hard_people(people, data, Path("judge"), 0.05, CPU)


def test_a_judge_says_what_it_is_and_can_judge(
    dots: Path, system: System, judged: System, tmp_path: Path
) -> None:
    data = [open_dataset(f"coco:{dots}")]
    write_tensors(tmp_path / "b.safetensors", {}, {})
    with pytest.raises(WeightsError, match="which system it is of"):
        similarities(data, tmp_path / "b.safetensors", CPU)
    with pytest.raises(ConfigError, match="has sigmas"):
        similarities(data, _weights(tmp_path / "c.safetensors", system), CPU)
