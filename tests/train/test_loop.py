import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vitruvian.core.errors import ConfigError, WeightsError
from vitruvian.datasets import open_dataset
from vitruvian.systems.spec import System
from vitruvian.train.checkpoint import provenance_of, read_tensors
from vitruvian.train.device import Device, choose_device
from vitruvian.train.feed import Batch, Feed, People
from vitruvian.train.loop import NonFiniteLossError, Run, build, parse_loss, total_loss, train
from vitruvian.train.optim import Average, learning_rate, make_optimizer, set_rate
from vitruvian.train.validate import validator

CPU = Device(name="cpu", bf16=False)


def _feed(dots: Path, system: System) -> Feed:
    return Feed(People([open_dataset(f"coco:{dots}")], system), system)


def _losses(folder: Path) -> list[float]:
    rows = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def _run(folder: Path, **changes: object) -> Run:
    return replace(Run(out=folder, device=CPU, log_every=1, save_every=5), **changes)


def test_a_resumed_run_continues_to_the_same_losses(
    dots: Path, system: System, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(system, _feed(dots, system), _run(whole))
    stop = _StopAt(8)
    with pytest.raises(KeyboardInterrupt):
        train(system, _feed(dots, system), _run(parts), progress=stop)
    train(system, _feed(dots, system), _run(parts, resume=True))
    assert len(_losses(whole)) == 12
    # 8 steps, then again from the checkpoint after step 6, the end of the first epoch
    assert _losses(parts) == _losses(whole)[:8] + _losses(whole)[6:]
    first, second = (read_tensors(f / "final.safetensors")[0] for f in (whole, parts))
    assert all(torch.equal(first[key], second[key]) for key in first)


class _StopAt:
    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, record: dict[str, float]) -> None:
        if record["step"] == self.step:
            raise KeyboardInterrupt


def test_the_dots_are_learnt_and_validated_through_the_predictor(
    dots: Path, system: System, tmp_path: Path
) -> None:
    longer = replace(system, recipe=replace(system.recipe, epochs=25))
    data = open_dataset(f"coco:{dots}")
    records: list[dict[str, float]] = []
    plan = _run(tmp_path, validate_every=25, provenance={"command": "test"})
    train(
        longer,
        _feed(dots, longer),
        plan,
        validate=validator(longer, data, CPU),
        progress=records.append,
    )
    losses = [record["loss"] for record in records if "loss" in record]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    assert records[-1]["val_pck"] > 0.65  # chance: about 0.1
    assert (tmp_path / "best.safetensors").exists()
    assert provenance_of(tmp_path / "final.safetensors")["command"] == "test"
    assert json.loads((tmp_path / "config.json").read_text())["recipe"]["epochs"] == 25


def test_a_loss_that_is_not_finite_stops_and_saves_the_batch(
    dots: Path, system: System, tmp_path: Path
) -> None:
    wild = replace(system, recipe=replace(system.recipe, lr=1e30, clip_norm=0.0))
    with pytest.raises(NonFiniteLossError, match=r"bad_batch\.npz"):
        train(wild, _feed(dots, wild), _run(tmp_path))
    saved = np.load(tmp_path / "bad_batch.npz")
    assert saved["images"].shape == (4, 64, 64, 3)
    assert saved["target_heatmap"].shape == (4, 5, 16, 16)
    assert len(saved["rows"]) == 4


def test_resuming_with_another_network_is_refused(
    dots: Path, system: System, tmp_path: Path
) -> None:
    train(system, _feed(dots, system), _run(tmp_path))
    other = replace(system, net_args={**system.net_args, "blocks": 2})
    with pytest.raises(WeightsError, match="another network"):
        train(other, _feed(dots, other), _run(tmp_path, resume=True))


def test_a_damaged_checkpoint_is_named(dots: Path, system: System, tmp_path: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"last\.safetensors"):
        train(system, _feed(dots, system), _run(tmp_path, resume=True))


def test_every_stage_is_weighed_and_the_last_one_reported(system: System) -> None:
    batch = Batch(
        images=np.zeros((1, 8, 8, 3), np.uint8),
        values={"heatmap": np.full((1, 1, 2, 2), 0.25, np.float32)},
        weights={"heatmap": np.ones((1, 1, 1, 1), np.float32)},
        rows=np.zeros(1, int),
    )
    peaked = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]])
    stages = [{"heatmap": peaked}, {"heatmap": torch.zeros(1, 1, 2, 2)}]
    both, parts = total_loss(stages, batch, replace(system.recipe, stage_weights=(2.0, 1.0)))
    first, _ = total_loss(stages[:1], batch, system.recipe)
    assert float(both) == pytest.approx(2 * float(first))
    assert parts["loss_heatmap"] == pytest.approx(0, abs=1e-6)
    with pytest.raises(ConfigError, match="stage_weights"):
        total_loss(stages, batch, replace(system.recipe, stage_weights=(1.0,)))


def test_a_stage_may_answer_some_of_the_fields(system: System) -> None:
    ones = np.ones((1, 1, 2, 2), np.float32)
    batch = Batch(
        images=np.zeros((1, 8, 8, 3), np.uint8),
        values={"heatmap": ones, "coarse_1": 3 * ones},
        weights={"heatmap": ones, "coarse_1": ones},
        rows=np.zeros(1, int),
    )
    recipe = replace(system.recipe, loss="heatmap=joints_mse,coarse_1=joints_mse")
    none = torch.zeros(1, 1, 2, 2)
    total, parts = total_loss([{"coarse_1": none}, {"heatmap": none}], batch, recipe)
    assert float(total) == pytest.approx(4.5 + 0.5)
    assert parts == pytest.approx({"loss_coarse_1": 4.5, "loss_heatmap": 0.5})
    with pytest.raises(ConfigError, match=r"\['coarse_1'\], which no stage"):
        total_loss([{"heatmap": none}], batch, recipe)


def test_losses_are_named_per_field_with_factors() -> None:
    terms = parse_loss("centre=centre_focal,box=box_giou*2", ["centre", "box"])
    assert [(f.__name__, factor) for f, factor in terms.values()] == [
        ("centre_focal", 1.0),
        ("box_giou", 2.0),
    ]
    with pytest.raises(ConfigError, match="no loss named 'mse'"):
        parse_loss("mse", ["heatmap"])
    with pytest.raises(ConfigError, match="must name each"):
        parse_loss("centre=centre_focal", ["centre", "box"])


def test_schedules_warm_up_then_fall(system: System) -> None:
    cosine = replace(system.recipe, epochs=10, lr=1.0, warmup=4)
    rates = [learning_rate(cosine, step, 10) for step in range(101)]
    np.testing.assert_allclose(rates[:5], [0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[52] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    step = replace(cosine, schedule="step", warmup=0, milestones=(2, 5), gamma=0.1)
    assert [learning_rate(step, at, 10) for at in (0, 19, 20, 49, 50)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01]
    )


def test_a_schedule_may_hold_its_peak_and_end_above_zero(system: System) -> None:
    line = replace(system.recipe, epochs=10, lr=1.0, warmup=4, schedule="linear", hold=5, floor=0.1)
    rates = [learning_rate(line, step, 10) for step in (4, 49, 50, 75, 100)]
    assert rates == pytest.approx([1, 1, 1, 0.55, 0.1])


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 3), nn.Linear(3, 1)

    def layers_above(self, name: str) -> int:
        return 2 if name.startswith("first") else 0


def test_lower_layers_learn_more_slowly_where_the_recipe_says_so(system: System) -> None:
    recipe = replace(system.recipe, optimizer="adamw", lr=1.0, weight_decay=0.1, layer_decay=0.5)
    optimizer = make_optimizer(Layers(), recipe)
    set_rate(optimizer, 0.8)
    groups = [(g["params"][0].shape, g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
    assert groups == [((1, 3), 0.8, 0.1), ((3, 2), 0.2, 0.1), ((1,), 0.8, 0), ((3,), 0.2, 0)]


def test_a_frozen_module_stays_as_it_is(dots: Path, system: System, tmp_path: Path) -> None:
    system = replace(system, recipe=replace(system.recipe, freeze=("trunk",), ema=0.0))
    before = build(system).state_dict()
    after = train(system, _feed(dots, system), _run(tmp_path)).state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("trunk")} <= kept < {*before}


def test_freezing_a_module_that_does_not_exist_is_refused(
    dots: Path, system: System, tmp_path: Path
) -> None:
    system = replace(system, recipe=replace(system.recipe, freeze=("torso",)))
    with pytest.raises(ConfigError, match="torso"):
        train(system, _feed(dots, system), _run(tmp_path))


def test_freezing_everything_is_refused(dots: Path, system: System, tmp_path: Path) -> None:
    system = replace(system, recipe=replace(system.recipe, freeze=("",)))
    with pytest.raises(ConfigError, match="leaves nothing to train"):
        train(system, _feed(dots, system), _run(tmp_path))


def test_the_average_follows_the_weights() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = Average(net, 0.9)
    nn.init.ones_(net.weight)
    average.update(net)
    assert float(average.values["weight"]) == pytest.approx(1 - 2 / 11)
    for _ in range(200):
        average.update(net)
    assert float(average.values["weight"]) == pytest.approx(1, abs=1e-6)


def test_the_network_starts_from_the_seed(system: System) -> None:
    first, same = build(system).state_dict(), build(system).state_dict()
    other = build(replace(system, recipe=replace(system.recipe, seed=7))).state_dict()
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_devices_and_precisions_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="'tpu'"):
        choose_device("tpu")
    with pytest.raises(ConfigError, match="'f16'"):
        choose_device("cpu", "f16")
    assert choose_device("cpu", "f32") == CPU
