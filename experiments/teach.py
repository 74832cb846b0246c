"""Teach the heads of small systems on frozen features and keep their weights.

python experiments/teach.py cpn_s --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE --keep FOLDER -o cpn_s.json

The same views, losses and optimiser as in ``vitruvian train cpn_s``, but for this: views do not
change from epoch to epoch, and their features are computed once.
"""

import argparse
from pathlib import Path

import numpy as np
from features import add_arguments, drawn_views, still_views
from heads import answers, passed, similarity, teach, told
from report import keep, versus
from weights import complete

from vitruvian.core.lookup import find


def main() -> None:
    """Teach each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", help="cpn_s, g_rmi_s, mspn_s, rmpe_s")
    add_arguments(parser)
    parser.add_argument("--keep", type=Path, required=True, help="folder for the weights")
    args = parser.parse_args()
    found, seconds = {}, {}
    for name in args.pages:
        page = told(find("vitruvian.systems", name)(), args)
        views, people = drawn_views(args, page), still_views(args, page)
        taught = teach(page, views)
        complete(taught, page, args)
        found[name] = passed(similarity(page, answers(taught.net, people), people))
        seconds[name] = taught.seconds
    rows = versus(args.pages[0], found, np.array(people.source))
    out = args.out or args.keep / "teach.json"
    keep(
        out,
        "Small heads",
        rows,
        seed=args.seed,
        views=len(views),
        epochs=page.recipe.epochs,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
