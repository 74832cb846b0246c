"""One to three stages, and whether a later stage should learn from hard poses alone (Megvii 2018).

python experiments/stages.py --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE [-o experiments/stages.json] [--keep FOLDER]

``mspn_s`` with one, two and three stages, taught together; and with a second stage that is taught
after the first, which stays as it is: on all views, or on those whose OKS under the first stage is
below 0.8, as often. With true boxes, OKS of poses and labels (mean share of people above t =
.50:.05:.95), 95 % intervals of a bootstrap over people; differences are paired.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from features import Views
from heads import Taught, answers, similarity, teach
from report import versus
from study import begin, finish, keep_weights, parser
from torch import nn

from vitruvian.systems.mspn import mspn_s
from vitruvian.systems.spec import System

HARD = 0.8
"""Megvii's first threshold."""
EVERYBODY, HARD_ONLY = "second stage later, all poses", "second stage later, hard poses"


def with_stages(page: System, count: int) -> System:
    """The page with so many stages, labels from coarse to fine, each as heavy as the others."""
    kernels = tuple(range(2 * count + 3, 3, -2))
    codec = replace(page.codec, kernels=kernels, fine=tuple(range(1, count)))
    loss = ",".join(["heatmap=joints_ohkm*2"] + [f"fine_{n}=joints_ohkm*2" for n in codec.fine])
    settings = {**page.net_args, "stages": count}
    return replace(page, net_args=settings, codec=codec, recipe=replace(page.recipe, loss=loss))


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
    """Teach five heads."""
    study = begin(parser(__doc__).parse_args(), mspn_s())
    page, views = study.page, study.views
    single = with_stages(page, 1)
    loss = "heatmap=joints_ohkm*2,fine_1=joints_ohkm*0"
    later = replace(page, recipe=replace(page.recipe, loss=loss))
    first = teach(single, views)
    hard = hard_views(single, first, views)
    taught = {
        "one stage": first,
        "two stages": teach(page, views),
        "three stages": teach(with_stages(page, 3), views),
        EVERYBODY: teach(later, views, prepare=after(first)),
        HARD_ONLY: teach(later, views, rows=np.resize(hard, len(views)), prepare=after(first)),
    }
    keep_weights(study, taught["two stages"])
    found = {name: study.score(one) for name, one in taught.items()}
    rows = versus("one stage", found, study.sources)
    rows += versus(EVERYBODY, {n: found[n] for n in (EVERYBODY, HARD_ONLY)}, study.sources)
    finish(study, "Stages, and hard poses", rows, taught, hard_views=len(hard))


if __name__ == "__main__":
    main()
