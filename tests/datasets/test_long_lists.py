"""JSON with long lists of numbers cut out reads as JSON does."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.datasets.long_lists import parse

_NUMBERS = st.one_of(
    st.integers(0, 9_999_999),
    st.integers(-(10**9), 10**9),
    st.floats(-1e6, 1e6),
)
_POLYGONS = st.one_of(
    st.just([]),
    st.just([[]]),
    st.just([[[1, 2], [3]], [[4]]]),
    st.just({"counts": [1, 2], "size": [3, 4]}),
    st.lists(st.lists(_NUMBERS, min_size=1, max_size=4), min_size=1, max_size=3),
)
_POINTS = st.one_of(
    st.lists(_NUMBERS, min_size=3, max_size=3),
    st.lists(_NUMBERS, max_size=4),
    st.sampled_from([0, 1, None, True, "text", '"keypoints": [1, 2, 3]', [], ["a"], [[1, 2, 3]]]),
)
_RECORDS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers()},
        optional={
            "segmentation": _POLYGONS,
            "keypoints": _POINTS,
            "note": st.sampled_from(['"segmentation": [[1]]', "é ]]", '\\"keypoints\\": [1]']),
            "tags": st.lists(st.text(max_size=3), max_size=2),
            "inner": st.fixed_dictionaries({"keypoints": _POINTS}),
        },
    ),
    max_size=5,
)
_STYLES = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


def _plain(value):
    """Arrays as lists of float32, polygons gone."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items() if key != "segmentation"}
    if isinstance(value, list | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, int | float | np.floating) and not isinstance(value, bool):
        return float(np.float32(value))
    return value


@given(_RECORDS, _RECORDS, _STYLES)
def test_everything_but_the_polygons_is_what_json_reads(first, second, style):
    content = {"annotations": first, "count": 3, "categories": second}
    text = json.dumps(content, **style).encode()
    assert _plain(parse(text, skip="segmentation", rows="keypoints")) == _plain(content)


@pytest.mark.parametrize("content", [[], {}, 3, [{"keypoints": [1, 2]}], {"a": {"keypoints": [1]}}])
def test_other_content_is_left_alone(content):
    assert parse(json.dumps(content).encode(), skip="segmentation", rows="keypoints") == content


def test_rows_of_one_length_come_as_arrays():
    rows = [[1, 20, 2], [345, 6, 0], [1.5, -2, 1]]
    text = json.dumps({"annotations": [{"keypoints": row} for row in rows]}).encode()
    read = parse(text, skip="segmentation", rows="keypoints")["annotations"]
    assert [record["keypoints"].tolist() for record in read] == rows
    assert read[0]["keypoints"].dtype == np.float32


def test_text_that_is_no_json_is_refused():
    for text in (b'{"a": [1, 2', b'{"keypoints": [1, 2, }', b'{"keypoints": [1,,2]}', b""):
        with pytest.raises(ValueError):
            parse(text, skip="segmentation", rows="keypoints")
