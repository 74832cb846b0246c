"""The training loop."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import TextIO

import numpy as np
import torch
from torch import Tensor, nn

from vitruvian.core.config import to_json
from vitruvian.core.errors import ConfigError, VitruvianError
from vitruvian.core.lookup import find
from vitruvian.datasets import Dataset
from vitruvian.systems.spec import Recipe, System
from vitruvian.train import joint_losses, losses, recognise
from vitruvian.train.checkpoint import load_state, save_state, write_tensors
from vitruvian.train.device import Device, Normalised
from vitruvian.train.everybody import Everybody
from vitruvian.train.feed import Batch, Feed, People, Source
from vitruvian.train.optim import Average, clip_gradients, learning_rate, make_optimizer, set_rate
from vitruvian.train.refinements import Refinements
from vitruvian.train.scenes import Scenes

_log = logging.getLogger(__name__)


class NonFiniteLossError(VitruvianError, FloatingPointError):
    """The loss or its gradient is not a number; the batch was saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How this run is carried out; nothing here changes what is learnt.

    Attributes:
        out: Folder of config, log and checkpoints.
        device: Where to compute.
        workers: Threads of the feed.
        resume: Go on from ``out/last.safetensors``.
        log_every: Optimiser steps between log lines.
        save_every: Optimiser steps between checkpoints; an epoch's end always saves.
        validate_every: Epochs between validations.
        provenance: Command and data, kept with the weights.
    """

    out: Path
    device: Device
    workers: int = 1
    resume: bool = False
    log_every: int = 20
    save_every: int = 200
    validate_every: int = 1
    provenance: Mapping[str, object] = field(default_factory=dict)


Validate = Callable[[nn.Module], dict[str, float]]
"""Scores of a network in evaluation mode; ``score`` is the one to maximise (see validate.py)."""

Progress = Callable[[dict[str, float]], None]
"""Told the record of every logged step."""


def build(system: System) -> nn.Module:
    """The system's network, initialised under the recipe's seed."""
    torch.manual_seed(system.recipe.seed)
    net: nn.Module = find("vitruvian.nets", system.net)(**system.net_args)
    return net


def train(
    system: System,
    feed: Feed,
    run: Run,
    *,
    validate: Validate | None = None,
    progress: Progress | None = None,
    start: dict[str, Tensor] | None = None,
    fresh: tuple[str, ...] = (),
) -> nn.Module:
    """Train a system; returns the network with the weights to use (averaged if the recipe says so).

    Args:
        system: Network, codec and recipe.
        feed: Batches.
        run: Where and how.
        validate: Called every ``run.validate_every`` epochs; the best score is kept as
            ``best.safetensors``.
        progress: Called with every log record.
        start: Weights to start from: of this network, or of its backbone (see nets/convert.py).
        fresh: Starts of names of parameters that do not start from them.

    Raises:
        NonFiniteLossError: The run diverged; ``out/bad_batch.npz`` holds the batch.
        WeightsError: ``resume`` finds a checkpoint of another network.
    """
    recipe, device = system.recipe, run.device
    run.out.mkdir(parents=True, exist_ok=True)
    net = build(system)
    if start is not None:
        _log.info("start: %s", recognise.start(net, start, system.name, fresh=fresh))
    model = Normalised(net, system.input).to(device.name, memory_format=torch.channels_last)
    to_training(model, recipe)
    optimizer = make_optimizer(net, recipe)
    average = Average(net, recipe.ema) if recipe.ema else None
    step, last = 0, run.out / "last.safetensors"
    if run.resume and last.exists():
        step = load_state(last, net, optimizer, average)
    else:
        (run.out / "config.json").write_text(json.dumps(to_json(system), indent=1) + "\n")
    with (run.out / "log.jsonl").open("a" if run.resume else "w", buffering=1) as log:
        _epochs(system, feed, run, model, optimizer, average, step, log, validate, progress)
    return _averaged(net, average)


def to_training(model: Normalised, recipe: Recipe) -> None:
    """Training mode, but for the modules that the recipe freezes.

    Raises:
        ConfigError: The network has no module of that name, or nothing is left to train.
    """
    model.train()
    for name in recipe.freeze:
        try:
            model.net.get_submodule(name).eval().requires_grad_(False)
        except AttributeError as error:
            raise ConfigError(f"recipe.freeze names {name!r}: {error}") from error
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(f"recipe.freeze {recipe.freeze} leaves nothing to train; name less")


def _epochs(
    system: System,
    feed: Feed,
    run: Run,
    model: Normalised,
    optimizer: torch.optim.Optimizer,
    average: Average | None,
    step: int,
    log: TextIO,
    validate: Validate | None,
    progress: Progress | None,
) -> None:
    per_epoch, best = feed.steps, -np.inf
    board = _board(run.out)
    while step < system.recipe.epochs * per_epoch:
        epoch = step // per_epoch
        for batch, wait in _timed(feed.epoch(epoch, step % per_epoch)):
            began = time.perf_counter()
            rate = learning_rate(system.recipe, step, per_epoch)
            set_rate(optimizer, rate)
            record = _step(system, run, model, optimizer, batch)
            if average is not None:
                average.update(model.net)
            step += 1
            if step % run.log_every == 0:
                record |= {"step": step, "epoch": step / per_epoch, "lr": rate}
                record |= {"wait_s": wait, "step_s": time.perf_counter() - began}
                _write(record, log, board, progress)
            if step % run.save_every == 0 or step % per_epoch == 0:
                save_state(run.out / "last.safetensors", model.net, optimizer, average, step)
        if validate and (epoch + 1) % run.validate_every == 0:
            scores = validate(_averaged(model.net, average).eval())
            to_training(model, system.recipe)
            _write({"step": step, **scores}, log, board, progress)
            if scores["score"] > best:
                best = scores["score"]
                save_weights(
                    run.out / "best.safetensors", _averaged(model.net, average), system, run
                )
    save_weights(run.out / "final.safetensors", _averaged(model.net, average), system, run)


def _step(
    system: System, run: Run, model: Normalised, optimizer: torch.optim.Optimizer, batch: Batch
) -> dict[str, float]:
    images = torch.from_numpy(batch.images).to(run.device.name, non_blocking=True)
    with run.device.autocast():
        given = {name: batch.values[name] for name in getattr(model.net, "looks_at", ())}
        given = {k: torch.from_numpy(v).to(images.device) for k, v in (batch.given | given).items()}
        stages = model.stages(images, **given)
    loss, parts = total_loss(stages, batch, system.recipe)
    if not torch.isfinite(loss):
        _stop(run.out, batch, f"loss {float(loss.detach())}")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = clip_gradients(model.net.parameters(), system.recipe.clip_norm)
    if not np.isfinite(norm):
        _stop(run.out, batch, f"gradient norm {norm}")
    optimizer.step()
    return {"loss": float(loss.detach()), "grad_norm": norm, **parts}


def total_loss(
    stages: list[dict[str, Tensor]], batch: Batch, recipe: Recipe
) -> tuple[Tensor, dict[str, float]]:
    """Sum over stages and fields; ``recipe.loss`` is ``NAME`` or ``field=NAME*weight,…``.

    A stage need not have every field: some are only supervised on the way to the last stage. A
    NAME of ``joint_losses.py`` reads all fields of a stage at once.

    Returns:
        The scalar to minimise, and the loss of every field in the last stage that has it.

    Raises:
        ConfigError: A field that no stage has, or another number of ``stage_weights`` than stages.
    """
    weights = recipe.stage_weights or (1.0,) * len(stages)
    if len(weights) != len(stages):
        raise ConfigError(
            f"recipe.stage_weights has {len(weights)} entries for {len(stages)} stages"
        )
    if recipe.loss in names_of_losses(joint_losses):
        return _joint_loss(stages, weights, batch, getattr(joint_losses, recipe.loss))
    terms = parse_loss(recipe.loss, list(batch.values))
    unanswered = sorted(set(terms) - {name for stage in stages for name in stage})
    if unanswered:
        raise ConfigError(f"the data ask for {unanswered}, which no stage of the network answers")
    total, parts = torch.zeros(()), {}
    for stage, stage_weight in zip(stages, weights, strict=True):
        for name, (function, factor) in terms.items():
            if name not in stage:
                continue
            output = stage[name].float()
            target = torch.from_numpy(batch.values[name]).to(output.device, non_blocking=True)
            weight = torch.from_numpy(batch.weights[name]).to(output.device, non_blocking=True)
            value = function(output, target, weight)
            total = total.to(value.device) + stage_weight * factor * value
            parts[f"loss_{name}"] = float(value.detach())
    return total, parts


def _joint_loss(
    stages: list[dict[str, Tensor]],
    stage_weights: Sequence[float],
    batch: Batch,
    function: Callable[..., dict[str, Tensor]],
) -> tuple[Tensor, dict[str, float]]:
    device = next(iter(stages[-1].values())).device
    targets, weights = (
        {name: torch.from_numpy(x).to(device, non_blocking=True) for name, x in part.items()}
        for part in (batch.values, batch.weights)
    )
    total, terms = torch.zeros((), device=device), {}
    for stage, stage_weight in zip(stages, stage_weights, strict=True):
        terms = function({name: x.float() for name, x in stage.items()}, targets, weights)
        total = total + stage_weight * sum(terms.values())
    return total, {f"loss_{name}": float(value.detach()) for name, value in terms.items()}


def parse_loss(text: str, fields: list[str]) -> dict[str, tuple[Callable[..., Tensor], float]]:
    """Loss function and factor by field.

    Raises:
        ConfigError: A field without a loss or a loss that does not exist.
    """
    known = names_of_losses(losses)
    items = (
        [part.partition("=") for part in text.split(",")]
        if "=" in text
        else [(f, "=", text) for f in fields]
    )
    terms = {}
    for name, _, right in items:
        loss, _, factor = right.partition("*")
        if loss not in known:
            raise ConfigError(f"no loss named {loss!r}; known: {', '.join(known)}")
        terms[name] = (getattr(losses, loss), float(factor or 1))
    if set(terms) != set(fields):
        raise ConfigError(f"train.loss {text!r} must name each of the fields {fields}")
    return terms


def names_of_losses(module: ModuleType) -> list[str]:
    """What ``train.loss`` can name of ``losses.py`` or ``joint_losses.py``."""
    own = {n: f for n, f in vars(module).items() if isfunction(f) and not n.startswith("_")}
    return sorted(n for n, f in own.items() if f.__module__ == module.__name__)


def save_weights(path: Path, net: nn.Module, system: System, run: Run) -> None:
    """Weights alone; the resolved system and the run's provenance are in the file's metadata."""
    meta = {"system": to_json(system), "provenance": dict(run.provenance)}
    write_tensors(path, dict(net.state_dict()), meta)


def source_of(system: System, datasets: Sequence[Dataset]) -> Source:
    """What a system of this task draws from: people, whole pictures or mosaics of them."""
    if system.task == "topdown":
        return People(datasets, system)
    if system.task == "refine":
        return Refinements(datasets, system)
    if system.task == "bottomup":
        return Everybody(datasets, system)
    return Scenes(datasets, system)


def _averaged(net: nn.Module, average: Average | None) -> nn.Module:
    if average is None:
        return net
    copy = deepcopy(net)
    copy.load_state_dict(average.values)
    return copy


def _timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds the device waited for it."""
    while True:
        began = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - began


def _stop(out: Path, batch: Batch, what: str) -> None:
    path = out / "bad_batch.npz"
    np.savez(
        path,
        images=batch.images,
        rows=batch.rows,
        **{f"target_{k}": v for k, v in batch.values.items()},
    )
    raise NonFiniteLossError(
        f"{what} is not finite; the batch is in {path}. Lower recipe.lr, set recipe.clip_norm, or "
        "look at the pictures of that batch; --resume goes on from the last checkpoint"
    )


def _board(out: Path) -> object | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        _log.info("tensorboard is not installed; the log is %s", out / "log.jsonl")
        return None
    return SummaryWriter(out / "tensorboard")


def _write(record: dict, log: TextIO, board: object | None, progress: Progress | None) -> None:
    log.write(json.dumps(record) + "\n")
    if board is not None:
        for key, value in record.items():
            if key != "step":
                board.add_scalar(key, value, record["step"])
    if progress is not None:
        progress(record)
