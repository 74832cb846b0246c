"""JSON without its polygons, its annotations as columns, reads as JSON does."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.datasets import rows
from vitruvian.datasets.rows import Rows

_NUMBERS = st.one_of(
    st.integers(0, 9_999_999),
    st.integers(-(10**18), 10**18),
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=False),
)
_POLYGONS = st.one_of(
    st.just([]),
    st.just([[]]),
    st.just([[[1, 2], [3]], [[4]]]),
    st.just({"counts": [1, 2], "size": [3, 4]}),
    st.just({"counts": "a}b", "size": [3, 4]}),
    st.just({"inner": {"size": [3, 4]}}),
    st.lists(st.lists(_NUMBERS, min_size=1, max_size=4), min_size=1, max_size=3),
)
_POINTS = st.one_of(
    st.lists(_NUMBERS, min_size=3, max_size=3),
    st.lists(_NUMBERS, max_size=4),
    st.sampled_from([0, 1, None, True, "text", '"keypoints": [1, 2, 3]', [], ["a"], [[1, 2, 3]]]),
)
_ODD = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers()},
        optional={
            "segmentation": _POLYGONS,
            "keypoints": _POINTS,
            "note": st.sampled_from(['"segmentation": [[1]]', "é ]]", '"annotations": [{}]']),
            "tags": st.lists(st.text(max_size=3), max_size=2),
            "inner": st.fixed_dictionaries({"annotations": _POINTS}),
        },
    ),
    max_size=5,
)
_PLAIN = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.fixed_dictionaries(
            {
                "segmentation": _POLYGONS,
                "area": _NUMBERS,
                "keypoints": st.lists(_NUMBERS, min_size=width, max_size=width),
                "id": st.integers(0, 10**12),
            }
        ),
        max_size=5,
    )
)
_STYLES = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


def _parse(text):
    return rows.parse(text, skip="segmentation", rows="annotations")


def _plain(value):
    """Records as dictionaries, polygons gone."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items() if key != "segmentation"}
    return [_plain(item) for item in value] if isinstance(value, list | Rows) else value


@given(st.one_of(_ODD, _PLAIN), _ODD, _STYLES)
def test_everything_but_the_polygons_is_what_json_reads(first, second, style):
    content = {"count": 3, "annotations": first, "categories": second}
    assert _plain(_parse(json.dumps(content, **style).encode())) == _plain(content)


@given(_PLAIN, _PLAIN)
def test_a_key_that_stands_elsewhere_or_twice_is_read_as_json_does(first, second):
    one, two = json.dumps(first), json.dumps(second)
    for text in (f'{{"annotations": {one}, "annotations": {two}}}',
                 f'{{"inner": {{"annotations": {one}}}, "annotations": {two}}}',
                 f'[{{"annotations": {one}}}]'):  # fmt: skip
        assert _plain(_parse(text.encode())) == _plain(json.loads(text))


@pytest.mark.parametrize("content", [[], {}, 3, [{"annotations": [1, 2]}], {"annotations": []}])
def test_other_content_is_left_alone(content):
    assert _parse(json.dumps(content).encode()) == content


def test_records_of_one_layout_come_as_columns(monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK", 200)
    points = np.random.default_rng(0).integers(-9, 999, (40, 6))
    people = [
        {"keypoints": row.tolist(), "segmentation": [[1.5, 2]], "area": n / 7, "id": n * 10**11}
        for n, row in enumerate(points)
    ]
    read = _parse(json.dumps({"annotations": people}).encode())["annotations"]
    assert isinstance(read, Rows)
    np.testing.assert_array_equal(read.fields["keypoints"], points)
    assert read.fields["area"].tolist() == [n / 7 for n in range(40)]
    assert read.fields["id"].dtype == np.int64
    assert read[3] == people[3] | {"segmentation": 0}
    assert read.take(np.array([5, 2])).fields["id"].tolist() == [5 * 10**11, 2 * 10**11]


@pytest.mark.parametrize(
    "odd", ["1e3", "-", "1-2", "1.2.3", "", "01", "true", "null", "[1]", "123456789012345678901"]
)
@pytest.mark.parametrize("place", range(3))
def test_one_number_that_is_odd_is_read_or_refused_as_by_json(odd, place):
    numbers = ["1.5", "2.5", "3.5"]
    numbers[place] = odd
    text = '{"annotations": [' + ", ".join(f'{{"a": [{n}, 1]}}' for n in numbers) + "]}"
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            _parse(text.encode())
    else:
        assert _plain(_parse(text.encode())) == expected


def test_text_that_is_no_json_is_refused():
    for text in (b'{"a": [1, 2', b'{"annotations": [{"a": 1}, {"a": }]}', b"",
                 b'{"annotations": [{"a": [1,,2]}]}', b'{"annotations": [{"a": 1}; {"a": 2}]}',
                 b'{"annotations": [{"a": 1}, 5, {"a": 2}]'):  # fmt: skip
        with pytest.raises(ValueError):
            _parse(text)
