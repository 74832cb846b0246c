"""A search over a tiny network on the dots of conftest.py."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.golden.measure import nets
from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.errors import ConfigError
from vitruvian.core.genome import Gene
from vitruvian.core.skeleton import Skeleton
from vitruvian.image.augment import Augment
from vitruvian.nets import convert
from vitruvian.systems.spec import Input, Recipe, System
from vitruvian.train import evolve as module
from vitruvian.train import member
from vitruvian.train.evolve import Member, Place, Search, evolve, front, parents_of
from vitruvian.train.member import Task, arguments, declared_genes, raise_member, with_arguments

SEARCH = Search(generations=2, parents=2, children=2, first_epochs=1, epochs=1)
ROWS = [[3, 1, 1, 1], [3, 1, 2, 2], [3, 1, 2, 1], [3, 1, 2, 1], [3, 1, 2, 2], [3, 1, 2, 2]]


@pytest.fixture
def system(robot: Skeleton) -> System:
    return System(
        name="tiny",
        task="topdown",
        net="evopose2d:evopose2d",
        net_args={"channels": 5, "genome": ROWS, "resolution": 24},
        input=Input(size=(48, 48), padding=1.0),
        codec=Heatmap(skeleton=robot, stride=2, sigma=2.0),
        skeleton=robot,
        recipe=Recipe(
            epochs=1, batch=6, samples_per_epoch=12, lr=1e-2, warmup=9, augment=Augment(flip=0.0)
        ),
    )


def _member(number: int, parameters: int, loss: float, **more: object) -> Member:
    fields = {"generation": 0, "parent": None, "args": {}, "fitness": loss, **more}
    return Member(id=number, parameters=parameters, loss=loss, **fields)


def _run(
    system: System, dots: Path, out: Path, search: Search = SEARCH, **how: object
) -> list[Member]:
    place = Place(out=out, device="cpu", precision="f32", **how)
    return evolve(system, [f"coco:{dots}"], f"coco:{dots}", search, place)


def _loss_of(task: Task) -> float:
    """A loss without a training, the same for the same network; and weights, as empty files."""
    assert task.parent is None or task.parent.exists()
    task.folder.mkdir(parents=True, exist_ok=True)
    (task.folder / "best.safetensors").touch()
    return float(sum(json.dumps(task.system.net_args).encode()) % 97 + 1)


def _log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_search_tries_everybody_once_and_keeps_the_front(system, dots, tmp_path):
    members = _run(system, dots, tmp_path)

    assert [m.generation for m in members] == [0, 1, 1, 2, 2]
    assert len({json.dumps(m.args) for m in members}) == 5
    assert all(np.isfinite(m.loss) for m in members)
    for m in members:
        assert m.fitness == pytest.approx(m.loss * (m.parameters / 5e6) ** 0.07)
    assert {m.parent for m in members[1:3]} == {0}
    assert {m.parent for m in members[3:]} == {m.id for m in parents_of(members[:3], 2)}

    kept = {int(folder.name) for folder in (tmp_path / "members").iterdir()}
    chosen = front(members)
    assert kept == {m.id for m in (*chosen, *parents_of(members, 2))}
    assert all((tmp_path / f"members/{k:05d}/best.safetensors").exists() for k in kept)
    assert [row["id"] for row in json.loads((tmp_path / "front.json").read_text())] == [
        m.id for m in chosen
    ]
    assert (tmp_path / "front.svg").read_text().count("<circle") == 5


def test_a_search_that_was_stopped_goes_on_to_the_same_members(system, dots, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "raise_member", _loss_of)
    whole = _run(system, dots, tmp_path / "whole")
    done = []

    def stopping(task):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(task)
        return _loss_of(task)

    monkeypatch.setattr(module, "raise_member", stopping)
    with pytest.raises(KeyboardInterrupt):
        _run(system, dots, tmp_path / "parts")
    assert [row["id"] for row in _log(tmp_path / "parts")] == [0, 1, 2, 3]

    monkeypatch.setattr(module, "raise_member", _loss_of)
    assert _run(system, dots, tmp_path / "parts", resume=True) == whole


def test_children_start_from_their_parents_weights(system, dots, tmp_path, monkeypatch):
    where = f"coco:{dots}"
    task = Task(system=system, train=(where,), val=where, folder=tmp_path / "parent", device="cpu")
    raise_member(task)
    started = []
    monkeypatch.setattr(member, "train", lambda *_, start, **__: started.append(start))
    wider = replace(system, net_args=system.net_args | {"genome": [[3, 1, 2, 1], *ROWS[1:]]})

    for each in (system, wider):
        parent = tmp_path / "parent" / "best.safetensors"
        raise_member(replace(task, system=each, folder=tmp_path / "child", parent=parent))

    theirs = convert.read(parent)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in started[0].items())
    kernel = started[1]["blocks.0.0.project_conv.weight"]
    assert torch.equal(kernel[:8], theirs["blocks.0.0.project_conv.weight"])


def test_another_search_in_the_same_folder_is_refused(system, dots, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "raise_member", _loss_of)
    _run(system, dots, tmp_path)
    with pytest.raises(ConfigError, match="--resume"):
        _run(system, dots, tmp_path)
    other = replace(system, recipe=replace(system.recipe, lr=1e-3))
    with pytest.raises(ConfigError, match="another search"):
        _run(other, dots, tmp_path, resume=True)


def test_a_network_that_diverged_has_no_children(system, dots, tmp_path, monkeypatch):
    losses = {0: 1.0, 1: float("inf"), 2: 0.5}
    monkeypatch.setattr(module, "raise_member", lambda task: losses.get(int(task.folder.name), 0.9))
    members = _run(system, dots, tmp_path)
    assert members[1].fitness == float("inf")
    assert {m.parent for m in members[3:]} == {0, 2}
    assert _log(tmp_path)[1]["loss"] is None
    assert _run(system, dots, tmp_path, resume=True) == members


def test_a_search_ends_when_nobody_is_left(system, dots, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "raise_member", lambda task: 1.0)
    place = Place(out=tmp_path, device="cpu")
    genes = {"resolution": Gene(options=(24, 56)), "last": Gene(options=(1, 3))}
    members = evolve(system, [f"coco:{dots}"], f"coco:{dots}", SEARCH, place, genes=genes)
    assert len(members) == 4


@pytest.mark.slow
def test_several_processes_find_the_same(system, dots, tmp_path):
    short = replace(SEARCH, generations=1)
    alone = _run(system, dots, tmp_path / "alone", short, threads=1)
    assert _run(system, dots, tmp_path / "together", short, threads=1, processes=2) == alone


def test_maps_of_another_stride_keep_the_width_of_their_targets(system):
    rows = [*ROWS[:-1], [3, 1, 2, 1]]
    finer, _ = with_arguments(system, system.net_args | {"genome": rows})
    assert (finer.codec.stride, finer.codec.sigma) == (1, 4.0)


@pytest.mark.parametrize("change", [{"channels": 6}, {"genome": [[3, 1, 2, 2]] * 5}])
def test_a_network_whose_outputs_nobody_asks_for_is_refused(system, change):
    with pytest.raises(ConfigError):
        with_arguments(system, system.net_args | change)


def test_genes_that_are_no_arguments_are_refused(system, dots, tmp_path):
    genes = {"heads": Gene(options=(1, 2))}
    with pytest.raises(ConfigError, match=r"no arguments \['heads'\]"):
        evolve(system, [f"coco:{dots}"], f"coco:{dots}", SEARCH, Place(out=tmp_path), genes=genes)


@pytest.mark.parametrize("name", [n for n, f in nets().items() if "genes" in f.__globals__])
def test_declared_genes_are_arguments_and_lead_to_networks(name, system):
    args = arguments(replace(system, net=name, net_args={}))
    assert declared_genes(replace(system, net=name), args).keys() <= args.keys()


def test_the_front_is_who_is_smaller_or_better():
    members = [_member(0, 10, 1.0), _member(1, 20, 0.5), _member(2, 30, 0.6), _member(3, 5, 2.0)]
    assert [m.id for m in front(members)] == [3, 0, 1]


def test_the_older_of_two_equal_members_has_children():
    members = [_member(2, 10, 1.0), _member(1, 10, 1.0), _member(3, 10, 2.0)]
    assert [m.id for m in parents_of(members, 2)] == [1, 2]
