"""The report page: complete, escaped, and shown by a browser without anything from elsewhere."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from vitruvian.metrics.bootstrap import Interval
from vitruvian.metrics.calibration import reliability
from vitruvian.metrics.diagnosis import KINDS, Diagnosis
from vitruvian.metrics.report import DetectorRow, Report, Row
from vitruvian.outputs.page import Shown, page

HALF = Interval(value=0.5, low=0.412, high=0.6, people=4)
COUNTS = dict(zip(KINDS, (10, 4, 3, 2, 1), strict=True))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def report(**changes):
    row = Row(
        boxes="gt", source="all", pictures=3, oks_fraction=HALF, pck=HALF, coco=None,
        joints={"nose": (0.75, 4), "tail": (np.nan, 0)},
        curve=(0.0, 0.5, 1.0), auc=0.5,
    )  # fmt: skip
    told = Diagnosis(
        ap=0.4, gains={"miss": 0.25, "score": 0.01}, repaired=0.9, kinds=COUNTS, missed=2,
        spurious=1, groups={"keypoint": {"nose": COUNTS}},
    )  # fmt: skip
    trust = reliability(np.array([0.9, 0.8, 0.2]), np.array([True, False, False]))
    fields = {
        "model": {"model": {"name": "ours"}, "command": "vitruvian evaluate <x>"},
        "data": "coco:a&b", "reference": "torso", "left_out": (), "rows": (row,),
        "detector": (DetectorRow(source="all", size="large", recall=HALF, ap=None),),
        "people": (), "diagnosis": {"gt": told}, "reliability": {"gt": trust},
    }  # fmt: skip
    return Report(**fields | changes)


class Tags(HTMLParser):
    """Fails on a tag that is not closed; keeps what was said."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_page_is_well_formed_and_says_what_was_measured():
    found = Tags(page(report()))
    for text in ("ours on coco:a&b", "50.0 [41.2, 60.0]", "vitruvian evaluate <x>", "+25.0"):
        assert text in found.text
    assert "2 people have no pose" in found.text
    assert "Expected calibration error 0.367" in found.text


def test_nothing_comes_from_elsewhere_and_nothing_runs():
    text = page(report(), [Shown(caption="a <b>", image=np.zeros((8, 6, 3), np.uint8))])
    tags = Tags(text)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags.seen}
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "a <b>" in tags.text


def test_the_pieces_of_a_bar_are_as_long_as_their_shares():
    widths = [
        float(attrs["width"])
        for tag, attrs in Tags(page(report())).seen
        if tag == "rect" and attrs["fill"] != "#2b6cb0"
    ]
    assert np.array(widths) / sum(widths) == pytest.approx([0.5, 0.2, 0.15, 0.1, 0.05], abs=1e-3)


def test_the_curve_goes_through_its_points():
    paths = [attrs for tag, attrs in Tags(page(report())).seen if tag == "path"]
    (line,) = [attrs["d"] for attrs in paths if attrs.get("stroke-width") == "2"]
    assert line == "M40.0 310.0L190.0 160.0L340.0 10.0"
    assert "area under the curve 0.500 with gt boxes" in page(report())


def test_what_was_not_measured_is_left_out():
    bare = [replace(row, curve=(), auc=np.nan) for row in report().rows]
    text = page(report(detector=(), diagnosis={}, reliability={}, rows=tuple(bare)))
    assert "PDJ" not in text
    assert "Detector" not in text
    assert "Mistakes" not in text
    assert "tail" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_draws_the_page(tmp_path):
    picture = Shown(caption="black", image=np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "page.html").write_text(page(report(), [picture]), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'u'}",
             "--disable-background-networking", f"--screenshot={tmp_path / 'page.png'}",
             "--window-size=900,1600", (tmp_path / "page.html").as_uri()]  # fmt: skip
    subprocess.run([CHROMIUM, *words], check=True, capture_output=True, timeout=60)
    import cv2

    drawn = cv2.imread(str(tmp_path / "page.png"))
    assert drawn.shape[1] == 900
    assert (drawn == (0x5B, 0x8F, 0x2F)).all(2).sum() > 500  # the green of good keypoints, BGR
