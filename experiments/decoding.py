"""Heat map alone, heat map and offset, or votes: what the offsets of G-RMI are worth.

python experiments/decoding.py --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE [-o experiments/decoding.json] [--keep FOLDER]

One head (``g_rmi_s``) is taught discs and offsets and read in four ways; a second is taught the
discs alone. With true boxes, OKS of poses and labels (mean share of people above t = .50:.05:.95),
95 % intervals of a bootstrap over people; differences are paired.
"""

from dataclasses import replace

from heads import answers, passed, similarity, teach
from report import versus
from study import begin, finish, keep_weights, parser

from vitruvian.systems.g_rmi import g_rmi_s

WAYS = (
    ("heatmap", "heatmap", 4.0),
    ("offset", "offset", 4.0),
    ("hough", "hough", 4.0),
    ("hough, bins of 10", "hough", 10.0),
)
"""Name, decoding, and size of the votes' bins in view pixels."""
ALONE = "heatmap, taught alone"


def main() -> None:
    """Teach two heads, read the first in four ways."""
    study = begin(parser(__doc__).parse_args(), g_rmi_s())
    page, people = study.page, study.people
    discs = replace(page.recipe, loss="heatmap=disk_logistic*4,offset=huber*0")
    taught = {
        "both": teach(page, study.views),
        ALONE: teach(replace(page, recipe=discs), study.views),
    }
    keep_weights(study, taught["both"])
    fields, found = answers(taught["both"].net, people), {}
    for name, way, kernel in WAYS:
        read = replace(page, codec=replace(page.codec, decoding=way, kernel=kernel))
        found[name] = passed(similarity(read, fields, people))
    plain = replace(page, codec=replace(page.codec, decoding="heatmap"))
    found[ALONE] = study.score(taught[ALONE], plain)
    finish(study, "Reading G-RMI's maps", versus("heatmap", found, study.sources), taught)


if __name__ == "__main__":
    main()
