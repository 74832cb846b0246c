"""Readers of what labelling tools save, on small files of their documented layouts."""

import json

import h5py
import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.cvat import cvat
from vitruvian.datasets.deeplabcut import deeplabcut
from vitruvian.datasets.label_studio import label_studio

# CVAT

LABELS = """<meta><task><size>3</size><labels>
  <label><name>hand</name><type>skeleton</type></label>
  <label><name>wrist</name><type>points</type><parent>hand</parent></label>
  <label><name>left_tip</name><type>points</type><parent>hand</parent></label>
  <label><name>right_tip</name><type>points</type><parent>hand</parent></label>
</labels><original_size><width>64</width><height>48</height></original_size></task></meta>"""
SKELETON = """<skeleton label="hand" {more}>
  <points label="right_tip" outside="0" occluded="1" points="7.5,8.25"/>
  <points label="wrist" outside="0" occluded="0" points="1,2"/>
  <points label="left_tip" outside="1" occluded="0" points="3,4"/>
</skeleton>"""
PLAIN = SKELETON.format(more="")
IMAGE = '<image id="4" name="a/b.jpg" width="64" height="48">{0}</image>'


def _cvat(folder, body, labels=LABELS):
    file = folder / "annotations.xml"
    file.write_text(f"<annotations><version>1.1</version>{labels}{body}</annotations>")
    return file


def test_a_cvat_skeleton_is_read_by_name_with_its_flags_and_box(tmp_path):
    box = '<box label="hand" xtl="0" ytl="1" xbr="10" ybr="12" group_id="5"/>'
    file = _cvat(tmp_path, IMAGE.format(box + SKELETON.format(more='group_id="5"')))
    table = open_dataset(f"cvat:{file}@{tmp_path}")
    assert (table.names, table[0].size) == (["a/b.jpg"], (48, 64))
    assert table.skeleton.keypoints == ("wrist", "left_tip", "right_tip")
    assert table.skeleton.swaps == (("left_tip", "right_tip"),)
    assert table.visible.tolist() == [[2, 0, 1]]
    np.testing.assert_array_equal(table.xy[0], [[1, 2], [np.nan, np.nan], [7.5, 8.25]])
    assert table.boxes.tolist() == [[0, 1, 10, 12]]


def test_cvat_tracks_are_people_of_the_frames_they_are_in(tmp_path):
    shapes = "".join(
        SKELETON.format(more=f'frame="{n}" outside="{int(n == 1)}"') for n in (0, 1, 2)
    )
    file = _cvat(tmp_path, f'<track id="7" label="hand">{shapes}</track>')
    table = open_dataset(f"cvat:{file}")
    assert table.names == [f"frame_00000{n}.PNG" for n in range(3)]
    assert (table.first.tolist(), table[0].size) == ([0, 1, 1, 2], (48, 64))
    assert table.person_fields["track"].tolist() == [7, 7]


def test_bare_cvat_points_are_people_of_numbered_keypoints_or_of_a_group(tmp_path):
    shapes = '<points label="p" points="1,2;3,4" occluded="1"/><points label="p" points="5,6;7,8"/>'
    table = open_dataset(f"cvat:{_cvat(tmp_path, IMAGE.format(shapes), '')}")
    assert table.skeleton.keypoints == ("keypoint_0", "keypoint_1")
    assert table.visible.tolist() == [[1, 1], [2, 2]]
    single = '<points label="{0}" points="{1},6" group_id="{2}"/>'
    rows = [("eye", 1, 1), ("ear", 2, 1), ("eye", 3, 2)]
    shapes = "".join(single.format(*row) for row in rows)
    table = open_dataset(f"cvat:{_cvat(tmp_path, IMAGE.format(shapes), '')}")
    assert table.visible.tolist() == [[2, 2], [2, 0]]
    file = _cvat(tmp_path, IMAGE.format("".join(single.format(n, x, 0) for n, x, _ in rows)), "")
    with pytest.raises(InputError, match=r"image 4 \(a/b.jpg\): points 2: a second 'eye'"):
        open_dataset(f"cvat:{file}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<image", "not readable as XML"),
        (IMAGE.replace('width="64"', ""), r"image 4 \(a/b.jpg\): <image> has no 'width'"),
        (IMAGE.replace("48", "x"), "height is 'x'; expected a whole number"),
        (IMAGE.format(PLAIN.replace("1,2", "1;2")), r"skeleton 0: wrist: points is '1;2'"),
        (IMAGE.format(PLAIN.replace("left_tip", "wrist")), "keypoint 'wrist' twice"),
        (IMAGE.format(PLAIN.replace("1,2", "nan,2")), "points is 'nan,2'"),
        (IMAGE.format(""), "no keypoint is named anywhere"),
    ],
)
def test_cvat_names_what_is_wrong(tmp_path, body, message):
    labels = "" if "named anywhere" in message else LABELS
    with pytest.raises(InputError, match=message):
        open_dataset(f"cvat:{_cvat(tmp_path, body, labels)}")


def test_a_bad_cvat_shape_can_be_left_out(tmp_path):
    bad, paw = PLAIN.replace("1,2", "1;2"), PLAIN.replace('label="hand"', 'label="paw"')
    file = _cvat(tmp_path, IMAGE.format(bad + PLAIN + PLAIN + paw))
    skipped = Bad(skip=True)
    table = cvat(str(file), skipped)
    assert len(table.xy) == 2
    assert len(skipped.left_out) == 2
    assert "skeletons of labels ['hand', 'paw']" in skipped.left_out[0]


# Label Studio

SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0}


def _point(name, x, y, identity="", **more):
    value = {"x": x, "y": y, "width": 0.5, "keypointlabels": [name]} | more
    return SIZE | {"type": "keypointlabels", "id": identity or f"{name}{x}", "value": value}


def _rectangle(identity, x=10):
    value = {"x": x, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["person"]}
    return SIZE | {"type": "rectanglelabels", "id": identity, "value": value}


def _relation(one, two):
    return {"type": "relation", "from_id": one, "to_id": two, "direction": "right"}


def _studio(folder, *result, **task):
    tasks = [{"id": 3, "data": {"image": "/data/local-files/?d=in/a%20b.jpg"}} | task]
    tasks[0].setdefault("annotations", [{"result": [], "was_cancelled": True}, {"result": result}])
    file = folder / "export.json"
    file.write_text(json.dumps(tasks))
    return file


def test_label_studio_relations_tie_keypoints_to_rectangles(tmp_path):
    items = [
        _rectangle("A"), _rectangle("B", 50), _point("nose", 50, 30, hidden=True),
        _point("nose", 10, 20), _point("tail", 0, 100),
        _relation("nose50", "B"), _relation("A", "nose10"), _relation("tail0", "A"),
    ]  # fmt: skip
    table = open_dataset(f"label_studio:{_studio(tmp_path, *items)}")
    assert (table.names, table[0].size) == (["in/a b.jpg"], (100, 200))
    assert table.skeleton.keypoints == ("nose", "tail")
    np.testing.assert_array_equal(table.xy, [[[20, 20], [0, 100]], [[100, 30], [np.nan, np.nan]]])
    assert table.visible.tolist() == [[2, 2], [1, 0]]
    assert table.boxes[0].tolist() == [20, 20, 80, 60]


@pytest.mark.parametrize("first", ["box", "points", "parent"])
def test_without_relations_keypoints_belong_to_the_box_they_come_with(tmp_path, first):
    groups = [[_rectangle("A"), _point("nose", 1, 1)], [_rectangle("B"), _point("nose", 2, 2)]]
    items = [item for g in groups for item in (g[::-1] if first == "points" else g)]
    if first == "parent":
        items = [_point("nose", 2, 2) | {"parentID": "B"}, *groups[0], groups[1][0]]
        items[2] = items[2] | {"parentID": "A"}
    table = open_dataset(f"label_studio:{_studio(tmp_path, *items)}")
    assert sorted(table.xy[:, 0, 0].tolist()) == [2, 4]
    assert len(table.xy) == 2


def test_the_labelling_configuration_gives_names_and_order(tmp_path):
    file = _studio(tmp_path, _point("b", 1, 1))
    view = '<View><KeyPointLabels><Label value="a"/><Label value="b"/></KeyPointLabels></View>'
    (tmp_path / "export.config.xml").write_text(view)
    table = open_dataset(f"label_studio:{file}")
    assert table.skeleton.keypoints == ("a", "b")
    assert table.visible.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("item", "task", "message"),
    [
        (_point("nose", "1", 2), {}, r"tasks\[0\] \(id 3\): result\[0\] .*: x is '1'"),
        (_point("nose", 1, 2) | {"original_width": None}, {}, "original_width is None"),
        (_point("nose", 1, 2, keypointlabels=[]), {}, "no 'keypointlabels'"),
        (_point("nose", 1, 2), {"data": {}}, "no 'data' with the link"),
        (_point("nose", 1, 2), {"annotations": [{}]}, "not the published layout .*result"),
    ],
)
def test_label_studio_names_what_is_wrong_and_can_go_on(tmp_path, item, task, message):
    file = _studio(tmp_path, item, **task)
    with pytest.raises(InputError, match=message):
        open_dataset(f"label_studio:{file}")
    tasks = json.loads(file.read_text()) + json.loads(
        _studio(tmp_path, _point("ear", 1, 2)).read_text()
    )
    file.write_text(json.dumps(tasks))
    skipped = Bad(skip=True)
    table = label_studio(str(file), skipped)
    assert table.skeleton.keypoints == ("ear",)
    assert len(skipped.left_out) == 1


# DeepLabCut

SINGLE = """scorer,me,me,me,me
bodyparts,snout,snout,tail,tail
coords,x,y,x,y
labeled-data/v/img0.png,1.5,2,3,4
labeled-data/v/img1.png,5,6,,
"""
MANY = """scorer,,,me,me,me,me,me,me,me,me
individuals,,,one,one,one,one,two,two,single,single
bodyparts,,,snout,snout,tail,tail,snout,snout,corner,corner
coords,,,x,y,x,y,x,y,x,y
labeled-data,v,img0.png,1,2,3,4,5,6,,
labeled-data,v,img1.png,,,,,,,7,8
"""


def _project(folder, text):
    file = folder / "labeled-data" / "v" / "CollectedData_me.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_deeplabcut_of_one_animal(tmp_path):
    file = _project(tmp_path, SINGLE)
    (tmp_path / "config.yaml").write_text(
        "Task: t\nskeleton:\n- - snout\n  - tail\n- - a\n  - b\nx: 1\n"
    )
    for spec in (file, tmp_path):
        table = open_dataset(f"deeplabcut:{spec}")
        assert table.names == ["labeled-data/v/img0.png", "labeled-data/v/img1.png"]
        assert table.folder == tmp_path
        assert table.visible.tolist() == [[2, 2], [2, 0]]
        assert table.xy[0].tolist() == [[1.5, 2], [3, 4]]
        assert table.skeleton.limbs == (("snout", "tail"),)


def test_deeplabcut_of_several_animals_with_paths_in_columns(tmp_path):
    table = open_dataset(f"deeplabcut:{_project(tmp_path, MANY)}")
    assert table.names == ["labeled-data/v/img0.png", "labeled-data/v/img1.png"]
    assert table.skeleton.keypoints == ("snout", "tail", "corner")
    assert table.first.tolist() == [0, 2, 3]
    assert table.visible.tolist() == [[2, 2, 0], [2, 0, 0], [0, 0, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SINGLE.replace("5,6,,", "5,six,,"), "line 5: snout is '5, six'; expected two numbers"),
        (SINGLE.replace("3,4", "3"), "line 4: tail: the line ends before it"),
        (SINGLE.replace("coords", "coord"), "no header rows"),
        (SINGLE.replace("tail,tail", "tail"), "header rows are of different lengths"),
        (SINGLE.replace("x,y", "a,b"), "no pair x, y"),
    ],
)
def test_deeplabcut_names_what_is_wrong(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        open_dataset(f"deeplabcut:{_project(tmp_path, text)}")


def test_a_bad_line_of_deeplabcut_can_be_left_out(tmp_path):
    skipped = Bad(skip=True)
    table = deeplabcut(str(_project(tmp_path, SINGLE.replace("5,6,,", "5,six,,"))), skipped)
    assert len(table) == len(skipped.left_out) == 1


# SLEAP


def _analysis(file, *, dims=None):
    tracks = np.full((2, 2, 3, 4), np.nan)
    tracks[0, :, 0, 1] = 5, 6
    tracks[1, :, 2, 1] = 7, 8
    tracks[0, :, 1, 3] = 1, 2
    with h5py.File(file, "w") as out:
        out["tracks"] = tracks.transpose(3, 0, 2, 1) if dims else tracks
        if dims:
            out["tracks"].attrs["dims"] = json.dumps(dims)
        out["node_names"] = np.array([b"head", b"left_paw", b"right_paw"])
        out["edge_inds"] = np.array([[0, 1], [0, 2]])
        out["video_path"] = b"C:\\clips\\mouse.mp4"
    return file


@pytest.mark.parametrize("dims", [None, ["n_frames", "n_tracks", "n_nodes", "xy"]])
def test_a_sleap_analysis_file_has_a_picture_per_frame(tmp_path, dims):
    table = open_dataset(f"sleap:{_analysis(tmp_path / 'a.analysis.h5', dims=dims)}")
    assert table.names == [f"mouse/00000{n}.png" for n in range(4)]
    assert table.first.tolist() == [0, 0, 2, 2, 3]
    assert table.visible.tolist() == [[2, 0, 0], [0, 0, 2], [0, 2, 0]]
    assert table.xy[1, 2].tolist() == [7, 8]
    assert table.person_fields["track"].tolist() == [0, 1, 0]
    assert table.skeleton.limbs == (("head", "left_paw"), ("head", "right_paw"))
    assert table.skeleton.swaps == (("left_paw", "right_paw"),)


def _slp(file, version=1.2):
    """A node that no skeleton has comes first; frame 9 has a person and a prediction."""
    reduced = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
    mirror = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [2]}]}
    links = [(2, 1, reduced), (2, 3, {"py/id": 1}), (3, 1, mirror), (1, 3, {"py/id": 2})]
    about = {
        "nodes": [{"name": n} for n in ("unused", "paw_a", "head", "paw_b")],
        "skeletons": [
            {
                "graph": {"name": "mouse"},
                "links": [
                    dict(zip(("source", "target", "type"), link, strict=True)) for link in links
                ],
                "nodes": [{"id": 2}, {"id": 1}, {"id": 3}],
            }
        ],
    }
    video = {"filename": "clips/m.mp4", "backend": {"filename": "clips/m.mp4"}}
    frames = [(0, 0, 9, 0, 2), (1, 0, 12, 2, 2)]
    instances = [(0, 1, 0, 0, -1, -1, 1.0, 0, 3), (1, 0, 0, 0, 4, -1, 0.0, 3, 6)]
    points = [(9.0, 9.0, True, True)] * 3 + [
        (1.5, 2.5, True, True), (np.nan, np.nan, False, False), (3.5, 4.5, False, True),
    ]  # fmt: skip
    with h5py.File(file, "w") as out:
        meta = out.create_group("metadata")
        meta.attrs["format_id"], meta.attrs["json"] = version, json.dumps(about)
        out["videos_json"] = np.array([json.dumps(video).encode()])
        out["frames"] = np.array(frames, [
            ("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8"),
            ("instance_id_start", "u8"), ("instance_id_end", "u8"),
        ])  # fmt: skip
        out["instances"] = np.array(instances, [
            ("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"),
            ("track", "i4"), ("from_predicted", "i8"), ("score", "f4"), ("point_id_start", "u8"),
            ("point_id_end", "u8"),
        ])  # fmt: skip
        out["points"] = np.array(
            points, [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
        )
    return file


@pytest.mark.parametrize(("version", "shift"), [(1.2, 0.0), (1.0, 0.5)])
def test_a_sleap_project_gives_the_instances_that_somebody_placed(tmp_path, version, shift):
    table = open_dataset(f"sleap:{_slp(tmp_path / 'a.slp', version)}")
    assert table.names == ["m/000009.png", "m/000012.png"]
    assert table.skeleton.keypoints == ("head", "paw_a", "paw_b")
    assert table.skeleton.swaps == (("paw_a", "paw_b"),)
    assert table.skeleton.limbs == (("head", "paw_a"), ("head", "paw_b"))
    assert table.first.tolist() == [0, 1, 1]
    assert table.visible.tolist() == [[2, 0, 1]]
    assert table.xy[0, 2].tolist() == [3.5 - shift, 4.5 - shift]
    assert table.person_fields["track"].tolist() == [4]
    assert table.picture_fields["frame"].tolist() == [9, 12]


def test_sleap_names_what_is_wrong(tmp_path):
    file = _slp(tmp_path / "a.slp")
    with h5py.File(file, "a") as out:
        rows = out["instances"][()]
        rows["point_id_end"][1] = 5
        out["instances"][...] = rows
    with pytest.raises(InputError, match="instance 1 has 2 points; its skeleton has 3"):
        open_dataset(f"sleap:{file}")
    with h5py.File(file, "a") as out:
        del out["frames"]
    with pytest.raises(InputError, match=r"a\.slp: neither a \.slp nor an analysis file"):
        open_dataset(f"sleap:{file}")
    file = _analysis(tmp_path / "a.h5", dims=["a", "b", "c", "d"])
    with pytest.raises(InputError, match="tracks has dims"):
        open_dataset(f"sleap:{file}")
