"""Heat map alone, heat map and offset, or votes: what the offsets of G-RMI are worth.

python experiments/decoding.py --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE [-o experiments/decoding.json] [--keep FOLDER]

One head (``g_rmi_s``) is taught discs and offsets and read in three ways; a second is taught the
discs alone. With true boxes, OKS of poses and labels (mean share of people above t = .50:.05:.95),
95 % intervals of a bootstrap over people; differences are paired.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from features import add_arguments, drawn_views, still_views
from heads import answers, passed, similarity, teach, told
from report import keep, versus
from weights import complete

from vitruvian.systems.g_rmi import g_rmi_s

WAYS = (
    ("heatmap", "heatmap", 4.0),
    ("offset", "offset", 4.0),
    ("hough", "hough", 4.0),
    ("hough, bins of 10", "hough", 10.0),
)
"""Name, decoding, and size of the votes' bins in view pixels."""


def main() -> None:
    """Teach two heads, read them in four ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--keep", type=Path, help="folder for the weights of g_rmi_s")
    args = parser.parse_args()
    page = told(g_rmi_s(), args)
    views, people = drawn_views(args, page), still_views(args, page)
    both = teach(page, views)
    if args.keep:
        complete(both, page, args)
    fields = answers(both.net, people)
    found = {}
    for name, way, kernel in WAYS:
        read = replace(page, codec=replace(page.codec, decoding=way, kernel=kernel))
        found[name] = passed(similarity(read, fields, people))
    alone = replace(
        page, recipe=replace(page.recipe, loss="heatmap=disk_logistic*4,offset=huber*0")
    )
    discs = teach(alone, views)
    plain = replace(alone, codec=replace(page.codec, decoding="heatmap"))
    found["heatmap, taught alone"] = passed(similarity(plain, answers(discs.net, people), people))
    rows = versus("heatmap", found, np.array(people.source))
    seconds = {"both": both.seconds, "heatmap alone": discs.seconds}
    out = args.out or Path(__file__).with_suffix(".json")
    keep(
        out,
        "Reading G-RMI's maps",
        rows,
        seed=args.seed,
        views=len(views),
        epochs=page.recipe.epochs,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
