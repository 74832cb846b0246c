import xml.etree.ElementTree as ET

from vitruvian.outputs.front import front_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_points_lie_where_their_values_are():
    root = ET.fromstring(front_svg([(100_000, 0.5, 0), (1_000_000, 0.3, 1), (10_000_000, 0.4, 2)]))
    x, y = ([float(dot.get(axis)) for dot in root.iter(f"{SVG}circle")] for axis in ("cx", "cy"))
    assert x[1] - x[0] == x[2] - x[1]
    assert y[0] < y[2] < y[1]


def test_the_line_joins_who_is_smaller_or_better():
    root = ET.fromstring(front_svg([(100_000, 0.5, 0), (1_000_000, 0.3, 1), (10_000_000, 0.4, 2)]))
    path = [*root.iter(f"{SVG}path")][-1].get("d")
    assert path.count("V") == 1


def test_one_point_and_none_make_a_picture():
    assert len([*ET.fromstring(front_svg([(100_000, 0.5, 0)])).iter(f"{SVG}circle")]) == 1
    assert not [*ET.fromstring(front_svg([])).iter(f"{SVG}circle")]
