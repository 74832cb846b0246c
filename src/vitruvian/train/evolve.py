"""Neuroevolution with weight transfer (McNally et al. 2021, Sec. III).

Any network can be searched whose keyword arguments form a genome: its file states which may vary
(see ``core/genome.py``), or the caller does. A generation is mutants of the best members so far;
each starts from its parent's weights, trains for a few epochs, and is judged by

    fitness = validation loss x (target / parameters)^exponent        (Sec. III-D; lower is better)

Nothing is trained twice: who was seen is in the log, and what a generation tries follows from the
log and the seed alone. So a search goes on where it stopped, and does not depend on the number of
processes. Half-trained members begin anew.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

import numpy as np

from vitruvian.core.config import to_json
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.genome import Gene, mutate
from vitruvian.outputs.front import front_svg
from vitruvian.systems.spec import System
from vitruvian.train.member import (
    WEIGHTS,
    Task,
    arguments,
    declared_genes,
    raise_member,
    with_arguments,
)

_log = logging.getLogger(__name__)

TrainAll = Callable[[Sequence[Task]], Iterator[tuple[int, float]]]
"""Index and validation loss of every task, in the order they end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched, and how; a search is resumed with the same values.

    Attributes:
        generations: After the ancestor's, which is generation 0.
        parents: Best members of all generations that have children (mu).
        children: Of a generation (lambda).
        first_epochs: Training of the ancestor.
        epochs: Training of every child.
        target: Parameters at which the fitness is the validation loss.
        exponent: How much parameters count; negative, since more are worse.
        seed: Of every choice, and of every training.
        faithful: Transfer weights as the authors' program does (see ``transfer.py``).
    """

    generations: int = 10
    parents: int = 4
    children: int = 64
    first_epochs: int = 30
    epochs: int = 5
    target: float = 5e6
    exponent: float = -0.07
    seed: int = 0
    faithful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a search runs; nothing here changes what it finds.

    Attributes:
        out: Folder of the search.
        processes: Members that train at the same time.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``bf16`` or ``f32``.
        threads: Processor threads of each process; 0 leaves them to torch.
        resume: Go on from the log.
    """

    out: Path
    processes: int = 1
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    resume: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A trained network, one line of ``log.jsonl``.

    Attributes:
        id: Place in the order of proposals; 0 is the ancestor.
        generation: 0 is the ancestor's.
        parent: Whose weights it started from.
        args: Arguments of its network.
        parameters: Number of trained values.
        loss: Lowest validation loss of any of its epochs; infinite if its training diverged.
        fitness: Lower is better.
    """

    id: int
    generation: int
    parent: int | None
    args: dict[str, object]
    parameters: int
    loss: float
    fitness: float


def evolve(
    system: System,
    data: Sequence[str],
    val: str,
    search: Search,
    place: Place,
    *,
    genes: Mapping[str, object] | None = None,
    progress: Callable[[Member], None] | None = None,
) -> list[Member]:
    """Search; returns all members, in the order of proposals.

    Args:
        system: The ancestor, and the recipe of all trainings but for their length. The paper turns
            rotation and scaling off while it searches.
        data: Training data, ``READER:WHERE`` each.
        val: Data of the validation loss.
        search: See :class:`Search`.
        place: See :class:`Place`; the folder holds ``search.json``, ``log.jsonl``, ``front.svg``
            and the weights of those who may have children or lie on the front.
        genes: What may be changed; of the network's file unless given.
        progress: Told every member that is done.

    Raises:
        ConfigError: There is nothing to change, or ``resume`` finds another search.
    """
    ancestor = arguments(system)
    genes = declared_genes(system, ancestor) if genes is None else genes
    unknown = sorted(genes.keys() - ancestor.keys())
    if unknown or not genes:
        raise ConfigError(
            f"{system.net} has {f'no arguments {unknown}' if unknown else 'no genes of its own'}; "
            f"genes may be any of {sorted(ancestor)}"
        )
    system, _ = with_arguments(system, ancestor)
    _open_folder(system, data, val, search, place, genes)
    members = {m.id: m for m in _read_log(place.out)}
    with _workers(place.processes) as train_all:
        for generation in range(search.generations + 1):
            older = [m for m in members.values() if m.generation < generation]
            proposals = _propose(system, ancestor, genes, older, search, generation)
            todo = [(member, its) for member, its in proposals if member.id not in members]
            tasks = [_task(its, data, val, search, place, member) for member, its in todo]
            for index, loss in train_all(tasks):
                done = _judged(todo[index][0], loss, search)
                members[done.id] = done
                _append(place.out, done)
                if progress:
                    progress(done)
            _tidy(place.out, [m for m in members.values() if m.generation <= generation], search)
            if not proposals:
                _log.warning("the space is exhausted after %d members", len(members))
                break
    return [members[key] for key in sorted(members)]


def front(members: Sequence[Member]) -> list[Member]:
    """Those than whom nobody is both smaller and better, smallest first."""
    best, kept = np.inf, []
    for member in sorted(members, key=lambda m: (m.parameters, m.loss)):
        if member.loss < best:
            best = member.loss
            kept.append(member)
    return kept


def parents_of(members: Sequence[Member], count: int) -> list[Member]:
    """The fittest, the older first where equal."""
    able = [m for m in members if np.isfinite(m.fitness)]
    return sorted(able, key=lambda m: (m.fitness, m.id))[:count]


def _propose(
    system: System,
    ancestor: dict[str, object],
    genes: Mapping[str, object],
    older: Sequence[Member],
    search: Search,
    generation: int,
) -> list[tuple[Member, System]]:
    """The members of a generation, not yet trained; fewer if the space has no more."""
    if generation == 0:
        return [_untrained(with_arguments(system, ancestor), 0, 0, None)]
    able = parents_of(older, search.parents)
    if not able:
        raise ConfigError("the ancestor's training diverged; lower train.lr")
    seen = {_key(member.args) for member in older}
    rng, built = np.random.default_rng([search.seed, generation]), {}

    def wanted(args: Mapping[str, object]) -> bool:
        if _key(args) in seen:
            return False
        try:
            built[_key(args)] = with_arguments(system, args)
        except (ConfigError, InputError):
            return False
        return True

    children = []
    for index in range(search.children):
        parent = able[index % len(able)]
        try:
            key = _key(mutate(parent.args, genes, rng, wanted))
        except ConfigError as error:
            _log.info("member %d has no new children: %s", parent.id, error)
            continue
        children.append(_untrained(built[key], len(seen), generation, parent.id))
        seen.add(key)
    return children


def _untrained(
    built: tuple[System, int], number: int, generation: int, parent: int | None
) -> tuple[Member, System]:
    system, size = built
    member = Member(
        id=number,
        generation=generation,
        parent=parent,
        args=system.net_args,
        parameters=size,
        loss=float("inf"),
        fitness=float("inf"),
    )
    return member, system


def _judged(member: Member, loss: float, search: Search) -> Member:
    penalty = (search.target / member.parameters) ** search.exponent
    return replace(member, loss=loss, fitness=loss * penalty)


def _key(args: Mapping[str, object]) -> str:
    return json.dumps(args, sort_keys=True)


def _task(
    system: System, data: Sequence[str], val: str, search: Search, place: Place, member: Member
) -> Task:
    recipe = replace(
        system.recipe,
        epochs=search.epochs if member.generation else search.first_epochs,
        seed=search.seed + member.id,
    )
    system = replace(system, recipe=recipe)
    parent = None if member.parent is None else _folder(place.out, member.parent) / WEIGHTS
    folder = _folder(place.out, member.id)
    return Task(
        system=system,
        train=tuple(data),
        val=val,
        folder=folder,
        parent=parent,
        faithful=search.faithful,
        device=place.device,
        precision=place.precision,
        threads=place.threads,
    )


@contextmanager
def _workers(processes: int) -> Iterator[TrainAll]:
    """One function for the whole search, so that data are read once per process."""
    if processes <= 1:
        yield lambda tasks: ((index, raise_member(task)) for index, task in enumerate(tasks))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield partial(_spread, pool)


def _spread(pool: Executor, tasks: Sequence[Task]) -> Iterator[tuple[int, float]]:
    running = {pool.submit(raise_member, task): index for index, task in enumerate(tasks)}
    for future in as_completed(running):
        yield running[future], future.result()


def _open_folder(
    system: System,
    data: Sequence[str],
    val: str,
    search: Search,
    place: Place,
    genes: Mapping[str, object],
) -> None:
    about = {
        "system": to_json(system),
        "search": {k: v for k, v in asdict(search).items() if k != "generations"},
        "genes": _plain(genes),
        "data": list(data),
        "val": val,
    }
    path, text = place.out / "search.json", json.dumps(about, indent=1) + "\n"
    place.out.mkdir(parents=True, exist_ok=True)
    if place.resume and path.exists():
        if path.read_text() != text:
            raise ConfigError(f"{path} is of another search; give the same settings, or another -o")
        return
    if (place.out / "log.jsonl").exists():
        raise ConfigError(f"{place.out} holds a search; go on with --resume, or give another -o")
    path.write_text(text)


def _plain(genes: object) -> object:
    if isinstance(genes, Gene):
        return asdict(genes)
    if isinstance(genes, Mapping):
        return {str(key): _plain(value) for key, value in genes.items()}
    return [_plain(value) for value in genes] if isinstance(genes, tuple | list) else genes


def _folder(out: Path, member: int) -> Path:
    return out / "members" / f"{member:05d}"


def _read_log(out: Path) -> list[Member]:
    path = out / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [_member(json.loads(line)) for line in lines]


def _member(row: dict) -> Member:
    """JSON knows no infinity: what diverged has no loss there."""
    diverged = {} if row["loss"] is not None else {"loss": np.inf, "fitness": np.inf}
    return Member(**row | diverged)


def _append(out: Path, member: Member) -> None:
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(_row(member)) + "\n")


def _row(member: Member) -> dict[str, object]:
    infinite = {} if np.isfinite(member.loss) else {"loss": None, "fitness": None}
    return asdict(member) | infinite


def _tidy(out: Path, members: Sequence[Member], search: Search) -> None:
    """Draw the front; drop the weights of those who neither are on it nor can have children.

    Args:
        out: Folder of the search.
        members: Of all generations up to one. A resumed search has younger ones already, which may
            be better than parents whose other children are still to come.
        search: Says how many have children.
    """
    chosen = front(members)
    kept = {m.id for m in (*chosen, *parents_of(members, search.parents))}
    for member in members:
        if member.id not in kept:
            rmtree(_folder(out, member.id), ignore_errors=True)
    (out / "front.json").write_text(json.dumps([_row(m) for m in chosen], indent=1) + "\n")
    points = [(m.parameters, m.loss, m.generation) for m in members if np.isfinite(m.loss)]
    (out / "front.svg").write_text(front_svg(points))
