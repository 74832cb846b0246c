"""What every experiment on frozen features does: options, views, scores, and the report."""

import argparse
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from features import Views, add_arguments, drawn_views, frozen, still_views
from heads import Taught, answers, passed, similarity
from report import keep

from vitruvian.core.config import to_json
from vitruvian.systems.spec import System
from vitruvian.train.checkpoint import write_tensors
from vitruvian.train.loop import build


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A page and what it is tried on.

    Attributes:
        args: Of the command line.
        page: With the seed and the number of passes of the command line.
        views: To learn from.
        people: To measure on.
    """

    args: argparse.Namespace
    page: System
    views: Views
    people: Views

    @property
    def sources(self) -> np.ndarray:
        """N names of the data sets of ``people``."""
        return np.array(self.people.source)

    def score(self, taught: Taught, page: System | None = None) -> np.ndarray:
        """N 2: ``passed`` of a head, decoded as its page says."""
        page = page or self.page
        return passed(similarity(page, answers(taught.net, self.people), self.people))


def parser(about: str | None) -> argparse.ArgumentParser:
    """The options of every experiment."""
    found = argparse.ArgumentParser(description=about)
    add_arguments(found)
    found.add_argument("--keep", type=Path, help="folder for the weights of the page's head")
    return found


def begin(args: argparse.Namespace, page: System) -> Study:
    """Views of the page, from the cache if they are there."""
    epochs = args.epochs or page.recipe.epochs
    page = replace(page, recipe=replace(page.recipe, seed=args.seed, epochs=epochs))
    return Study(
        args=args, page=page, views=drawn_views(args, page), people=still_views(args, page)
    )


def finish(
    study: Study,
    title: str,
    rows: list[dict[str, object]],
    taught: dict[str, Taught],
    **more: object,
) -> None:
    """Write the JSON and its table, by default beside the program."""
    keep(
        study.args.out or Path(sys.argv[0]).with_suffix(".json"),
        title,
        rows,
        seed=study.args.seed,
        views=len(study.views),
        epochs=study.page.recipe.epochs,
        seconds={name: round(one.seconds) for name, one in taught.items()},
        **more,
    )


def keep_weights(study: Study, taught: Taught) -> None:
    """If asked for: features and head together, as a checkpoint that ``vitruvian export`` reads."""
    args, page = study.args, study.page
    if args.keep is None:
        return
    net = build(page)
    features = {f"trunk.{k}": v for k, v in frozen(args.trunk).state_dict().items()}
    net.load_state_dict(net.state_dict() | taught.net.state_dict() | features)
    args.keep.mkdir(parents=True, exist_ok=True)
    about = {
        "command": "python " + shlex.join(sys.argv),
        "data": [args.train],
        "views": args.views,
        "losses": taught.losses,
        "features": "vitruvian_pose_s, frozen",
    }
    meta = {"system": to_json(page), "provenance": about}
    write_tensors(args.keep / f"{page.name}.safetensors", dict(net.state_dict()), meta)
