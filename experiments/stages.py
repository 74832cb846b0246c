"""One stage or two, and whether a second stage should learn from hard poses alone (Megvii 2018).

python experiments/stages.py --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE [-o experiments/stages.json] [--keep FOLDER]

``mspn_s`` with one stage; with two, taught together; and with a second stage that is taught after
the first, which stays as it is: on all views, or on those whose OKS under the first stage is below
0.8, as often. With true boxes, OKS of poses and labels (mean share of people above t =
.50:.05:.95), 95 % intervals of a bootstrap over people; differences are paired.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from features import Views, add_arguments, drawn_views, still_views
from heads import Taught, answers, passed, similarity, teach, told
from report import keep, versus
from torch import nn
from weights import complete

from vitruvian.systems.mspn import mspn_s
from vitruvian.systems.spec import System

HARD = 0.8
"""Megvii's first threshold."""


def one_stage(page: System) -> System:
    """The page with a single stage."""
    codec = replace(page.codec, fine=())
    recipe = replace(page.recipe, loss="heatmap=joints_ohkm*2")
    return replace(page, net_args={**page.net_args, "stages": 1}, codec=codec, recipe=recipe)


def after(first: Taught) -> Callable[[nn.Module], None]:
    """Gives a network of two stages the first one, which learns no more."""

    def prepare(net: nn.Module) -> None:
        for ours, theirs in (
            (net.stages[0], first.net.stages[0]),
            (net.heads[0], first.net.heads[0]),
        ):
            ours.load_state_dict(theirs.state_dict())
            ours.eval().requires_grad_(False)

    return prepare


def hard_views(page: System, first: Taught, views: Views) -> np.ndarray:
    """Rows whose pose the first stage finds badly."""
    oks = [
        similarity(page, answers(first.net, part), part)
        for part in (views.part(s, s + 320) for s in range(0, len(views), 320))
    ]
    return np.flatnonzero(np.concatenate(oks) < HARD)


def main() -> None:
    """Teach four heads."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--keep", type=Path, help="folder for the weights of mspn_s")
    args = parser.parse_args()
    page = told(mspn_s(), args)
    views, people = drawn_views(args, page), still_views(args, page)
    single = one_stage(page)
    later = replace(
        page, recipe=replace(page.recipe, loss="heatmap=joints_ohkm*2,fine_1=joints_ohkm*0")
    )
    taught = {"two stages": teach(page, views)}
    if args.keep:
        complete(taught["two stages"], page, args)
    taught["one stage"] = first = teach(single, views)
    taught["second stage later, all poses"] = teach(later, views, prepare=after(first))
    hard = hard_views(single, first, views)
    rows = np.resize(hard, len(views))
    taught["second stage later, hard poses"] = teach(later, views, rows=rows, prepare=after(first))
    found = {n: passed(similarity(page, answers(t.net, people), people)) for n, t in taught.items()}
    sources = np.array(people.source)
    table = versus("one stage", found, sources)
    alike = {n: p for n, p in found.items() if n.startswith("second")}
    table += versus("second stage later, all poses", alike, sources)
    keep(
        args.out or Path(__file__).with_suffix(".json"),
        "Stages, and hard poses",
        table,
        seed=args.seed,
        views=len(views),
        epochs=page.recipe.epochs,
        hard_views=len(hard),
        seconds={name: one.seconds for name, one in taught.items()},
    )


if __name__ == "__main__":
    main()
