"""The ROS 2 node on stand-ins for messages: the verdicts of the command on the same data."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from made_up_bag import as_object, cloud, messages, write_bag
from made_up_place import block, made_map, pipeline

from openshape_ood import NoveltyPipeline
from openshape_ood.bags.reading import read_bag
from openshape_ood.ros import PARAMETERS, MapNode, main, open_map
from openshape_ood.scene_map import SceneMap
from openshape_ood.synthetic import sample


class Any3:
    """A message with whatever attributes are asked for."""

    def __getattr__(self, name: str) -> Any:
        made: Any = [] if name in ("detections", "markers", "results") else Any3()
        setattr(self, name, made)
        return made


class Node:
    """A node that keeps what it is given."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}
        self.published: dict[str, list[Any]] = {}
        self.logged: list[str] = []
        self.kinds: dict[str, tuple[Any, Any]] = {}

    def create_subscription(self, kind: Any, topic: str, callback: Any, quality: Any) -> None:
        self.callbacks[topic] = callback
        self.kinds[topic] = kind, quality

    def create_publisher(self, kind: Any, topic: str, depth: int) -> Any:
        own = self.published.setdefault(topic, [])
        return SimpleNamespace(publish=own.append)

    def get_logger(self) -> Any:
        return SimpleNamespace(info=self.logged.append, warning=self.logged.append)


TYPES = SimpleNamespace(
    **dict.fromkeys(
        ("Detection3DArray", "Detection3D", "ObjectHypothesisWithPose", "MarkerArray", "Marker", "TFMessage"), Any3
    ),
    CameraInfo=Any3, CompressedImage=Any3, Image=Any3, PointCloud2=Any3, latched="latched", sensor="sensor",
)  # fmt: skip


def verdicts(found: SceneMap) -> list[Any]:
    return [(one.number, one.seen, one.verdict) for one in found]


def test_the_node_says_what_the_command_says_of_the_same_data(tmp_path) -> None:
    pytest.importorskip("mcap_ros2")
    bag, ways = write_bag(tmp_path / "drive.mcap", messages(18)), []
    own = made_map(path=tmp_path / "node.map")
    node = Node()
    running = MapNode(node, TYPES, own, PARAMETERS)
    for topic, content, _ in messages(18):
        node.callbacks[topic](as_object(content))
    running.close()
    ways.append(verdicts(SceneMap.load(tmp_path / "node.map", pipeline())))
    other = made_map()
    for frame in read_bag(bag):
        other.add(frame.given(), frame.pose, frame.time)
    ways.append(verdicts(other))
    assert ways[0] == ways[1] and len(ways[0])
    detections = node.published["~/objects"][-1].detections
    assert [one.id for one in detections] == [str(one[0]) for one in ways[0]]
    assert {one.results[0].hypothesis.class_id for one in detections} <= {"pole", "new", "unsure"}
    assert node.published["~/objects"][-1].header.frame_id == "map"
    removal, marker, *_ = node.published["~/markers"][-1].markers
    assert removal.action == 3  # DELETEALL: objects that were merged disappear
    assert marker.pose.orientation.w**2 + marker.pose.orientation.z**2 == pytest.approx(1)
    assert any("is new" in line for line in node.logged)


def test_messages_that_cannot_be_used_are_logged() -> None:
    node = Node()
    running = MapNode(node, TYPES, made_map(), PARAMETERS)
    node.callbacks["/points"](as_object(cloud(block((1, 1, 1)), 1.0)))  # no transform
    node.callbacks["/points"](as_object(cloud(block((1, 1, 1)), 3.0)))
    running.close()
    assert "no transform" in node.logged[0] and not node.published["~/objects"]


def test_known_classes_of_a_file_bring_their_encoder(tmp_path) -> None:
    chairs = [sample("chair", 300, seed) for seed in range(43)]
    own = NoveltyPipeline.prepare({"chair": chairs[:4]}, model="tiny", calibration=chairs[4:], up="y")
    file = own.save(tmp_path / "known.safetensors")
    with open_map({**PARAMETERS, "known_file": str(file), "map": str(tmp_path / "home.map")}) as found:
        assert found.pipeline.provenance.identity.checkpoint == "tiny"


MESSAGES = {
    "sensor_msgs": ("PointCloud2", "Image", "CompressedImage", "CameraInfo"),
    "tf2_msgs": ("TFMessage",),
    "vision_msgs": ("Detection3DArray", "Detection3D", "ObjectHypothesisWithPose"),
    "visualization_msgs": ("MarkerArray", "Marker"),
}


class StoppedError(Exception):
    """Stand-in for the exception of `rclpy.spin` after a signal."""


def test_the_program_subscribes_runs_and_saves_the_map(tmp_path, monkeypatch) -> None:
    """rclpy and the message packages are stand-ins with the names of ROS 2 and no others."""
    for package, names in MESSAGES.items():
        types = ModuleType(f"{package}.msg")
        vars(types).update({name: type(name, (Any3,), {}) for name in names})
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
        monkeypatch.setitem(sys.modules, types.__name__, types)
    given = {
        "known": ["chair"],
        "model": "tiny",
        "map": str(tmp_path / "home.map"),
        "depth": "/depth",
        "camera": "/info",
    }
    node, rclpy, quality, executors = Node(), *(ModuleType(f"rclpy{part}") for part in ("", ".qos", ".executors"))
    vars(executors).update(ExternalShutdownException=StoppedError)

    def parameter(name: str, value: Any) -> SimpleNamespace:
        return SimpleNamespace(value=given.get(name, value))

    monkeypatch.setattr(node, "declare_parameter", parameter, raising=False)

    def spin(running: Node) -> None:
        for topic, content, _ in messages(15):
            running.callbacks[topic](as_object(content))
        raise StoppedError

    vars(rclpy).update(init=lambda args: None, create_node=lambda name: node, spin=spin, try_shutdown=lambda: None)
    durability = SimpleNamespace(TRANSIENT_LOCAL="transient local")
    vars(quality).update(
        DurabilityPolicy=durability,
        QoSProfile=lambda depth, durability: ("latched", durability),
        qos_profile_sensor_data="sensor data",
    )
    for module in (rclpy, quality, executors):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    main()
    subscribed = {topic: (kind.__name__, how) for topic, (kind, how) in node.kinds.items()}
    assert subscribed == {
        "/tf": ("TFMessage", 100),
        "/tf_static": ("TFMessage", ("latched", "transient local")),
        "/info": ("CameraInfo", "sensor data"),
        "/depth": ("Image", "sensor data"),
        "/points": ("PointCloud2", "sensor data"),
    }
    assert type(node.published["~/objects"][-1]).__name__ == "Detection3DArray"
    with SceneMap.load(tmp_path / "home.map") as found:
        assert found.state.views == 15 and len(found)
