"""MCAP bags: the same map as from points, and hostile bags within bounds."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from made_up_bag import as_object, cloud, messages, transform, write_bag
from made_up_place import block, frames, made_map

from openshape_ood.bags.messages import Stream, Transforms, camera_of, cloud_of, depth_of
from openshape_ood.bags.reading import read_bag
from openshape_ood.errors import CloudError, FileError

pytest.importorskip("mcap_ros2")
POLE = (0.2, 0.2, 2.0)


def test_a_bag_gives_the_points_at_their_places(tmp_path) -> None:
    path = write_bag(tmp_path / "drive.mcap", messages(6))
    found = list(read_bag(path))
    assert [one.reason for one in found] == [""] * 6
    for one, (points, time) in zip(found, frames(6), strict=True):
        assert one.time == pytest.approx(time + 1)
        assert one.points @ one.pose[:3, :3].T + one.pose[:3, 3] == pytest.approx(points, abs=1e-5)


def test_messages_out_of_order_by_a_second_are_sorted_older_ones_refused(tmp_path) -> None:
    points = block(POLE)
    told = [("/tf", transform(0.0), 0.0)]
    told += [("/points", cloud(points, time), time) for time in (1.0, 2.0, 1.5, 3.5, 4.0, 0.5)]
    found = list(read_bag(write_bag(tmp_path / "drive.mcap", told)))
    assert [one.time for one in found if not one.reason] == [1.0, 1.5, 2.0, 3.5, 4.0]
    assert ["arrived after the frame" in one.reason for one in found if one.reason] == [True]


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"width": 10**9}, "states 1,000,000,000 points"),
        ({"width": 2**32 - 1, "height": 2**32 - 1}, "states"),
        ({"point_step": 0}, "states"),
        ({"data": b""}, "states 400 points"),
        ({"fields": []}, "no field 'x'"),
        ({"fields": [{"name": n, "offset": 4_000_000_000, "datatype": 7, "count": 1} for n in "xyz"]}, "no field 'x'"),
        ({"header": {"stamp": {"sec": 1, "nanosec": 0}, "frame_id": "moon"}}, "no transform from 'moon'"),
    ],
)
def test_hostile_clouds_are_refused_and_the_others_used(tmp_path, changed, words: str) -> None:
    points = block(POLE)
    told = [("/tf", transform(0.0), 0.0), ("/points", cloud(points, 1.0, **changed), 1.0)]
    told.append(("/points", cloud(points, 2.0), 2.0))
    found = list(read_bag(write_bag(tmp_path / "drive.mcap", told)))
    assert [bool(one.reason) for one in found] == [True, False]
    assert words in found[0].reason


@pytest.mark.parametrize(
    "points, words",
    [
        (np.full((50, 3), np.nan), "no finite point"),
        (np.full((50, 3), 1e30), "more than 1,000 m"),
        (np.empty((0, 3)), "no finite point"),
    ],
)
def test_clouds_of_nothing_are_refused(points: np.ndarray, words: str) -> None:
    with pytest.raises(CloudError, match=words):
        cloud_of(as_object(cloud(points, 1.0)))


def test_stray_points_and_nan_are_left_out() -> None:
    points = block(POLE)
    points[0], points[1] = np.nan, 1e6
    found, color = cloud_of(as_object(cloud(points, 1.0)))
    assert len(found) == len(points) - 2 and color.shape == found.shape


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_a_truncated_bag_gives_what_it_has_and_says_so(tmp_path, cut: float) -> None:
    path = write_bag(tmp_path / "drive.mcap", messages(40))
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    with pytest.raises(FileError, match=r"truncated or damaged|the bag has no usable message"):
        list(read_bag(path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a bag",
        b"\x89MCAP0\r\n",
        b"\x89MCAP0\r\n" + struct.pack("<BQ", 5, 2**62),  # a message of a length that is none
        b"\x89MCAP0\r\n" + struct.pack("<BQ", 6, 200 * 2**20) + b"\0" * 64,  # a chunk that is not there
        b"\x89MCAP0\r\n" + struct.pack("<BQ", 3, 12) + b"\xff" * 12,  # a schema of wrong lengths
    ],
)
def test_what_is_no_bag_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "drive.mcap"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"drive.mcap: "):
        list(read_bag(path))


def test_foreign_topics_are_named(tmp_path) -> None:
    path = write_bag(tmp_path / "drive.mcap", [("/tf", transform(0.0), 0.0)])
    with pytest.raises(FileError, match=r"the bag has no usable message.*its topics are /tf"):
        list(read_bag(path))


def test_foreign_schemas_are_refused(tmp_path) -> None:
    from mcap.writer import Writer

    path = tmp_path / "drive.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        for name, encoding, text in (("a", "ros2msg", b"wild[[] x"), ("b", "jsonschema", b"{}")):
            schema = writer.register_schema("sensor_msgs/msg/PointCloud2", encoding, text)
            channel = writer.register_channel(f"/{name}", "cdr", schema)
            writer.add_message(channel, 0, b"\0" * 40, 0)
        writer.finish()
    found = read_bag(path)
    assert "cannot be decoded" in next(found).reason
    assert "Expected cdr with ros2msg" in next(found).reason
    with pytest.raises(FileError, match="the bag has no usable message"):
        next(found)


def test_depth_is_in_meters() -> None:
    told = {"height": 2, "width": 2, "step": 4, "encoding": "16UC1", "is_bigendian": True}
    image = as_object({**told, "data": np.array([[1000, 0], [2500, 1]], dtype=">u2").tobytes()})
    assert depth_of(image).tolist() == [[1.0, 0.0], [2.5, pytest.approx(0.001)]]
    with pytest.raises(CloudError, match="states"):
        depth_of(as_object({**told, "width": 10**5, "height": 10**9, "data": b""}))
    with pytest.raises(CloudError, match="encoding 'rgb8'"):
        depth_of(as_object({**told, "encoding": "rgb8", "data": b""}))
    with pytest.raises(CloudError, match="no matrix k"):
        camera_of(as_object({"k": [1.0]}))


def test_depth_with_its_camera_becomes_a_view() -> None:
    stream = Stream()
    list(stream.put("transforms", as_object(transform(0.0, (1, 2, 3)))))
    head = {"stamp": {"sec": 1, "nanosec": 0}, "frame_id": "sensor"}
    list(stream.put("camera", as_object({"header": head, "k": [2.0, 0, 0.5, 0, 2, 0.5, 0, 0, 1]})))
    image = {"header": head, "height": 2, "width": 2, "step": 8, "encoding": "32FC1", "is_bigendian": 0}
    list(stream.put("depth", as_object({**image, "data": np.ones((2, 2), dtype="<f4").tobytes()})))
    (frame,) = stream.rest()
    view = frame.given()
    assert view.points.mean(axis=0) == pytest.approx([1, 2, 4])


def test_transforms_are_rotations_in_a_tree() -> None:
    tree = Transforms()
    with pytest.raises(CloudError, match="quaternion"):
        tree.add(as_object(transform(0.0, rotation=(0, 0, 0, 2))))
    tree.add(as_object(transform(0.0, (1, 0, 0), (0, 0, np.sqrt(0.5), np.sqrt(0.5)))))
    assert tree.pose("/sensor", "map", 0.0) @ [1, 0, 0, 1] == pytest.approx([1, 1, 0, 1])
    with pytest.raises(CloudError, match=r"no transform from 'sensor' to 'world'.*give --frame map"):
        tree.pose("sensor", "world", 0.0)
    with pytest.raises(CloudError, match="Record /tf"):
        tree.pose("lidar", "map", 0.0)
    tree.add(as_object({"transforms": [{**transform(0.0)["transforms"][0], "child_frame_id": "map"}]}))
    tree.add(as_object(transform(50.0)))
    with pytest.raises(CloudError, match=r"no transform|away|circle"):
        tree.pose("sensor", "moon", 25.0)


def test_a_map_of_a_bag_is_that_of_its_points(tmp_path) -> None:
    path, ways = write_bag(tmp_path / "drive.mcap", messages(9)), []
    found = made_map(max_jump=None)
    for one in read_bag(path):
        found.add(one.points, pose=one.pose, time=one.time)
    ways.append([(one.number, one.verdict.verdict, one.seen) for one in found])
    plain = made_map(max_jump=None)
    for points, time in frames(9):
        plain.add(points, time=time)
    ways.append([(one.number, one.verdict.verdict, one.seen) for one in plain])
    assert ways[0] == ways[1]
