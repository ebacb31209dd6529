"""A ROS 2 node for a map: it receives clouds or depth images, and publishes detections and markers.

The map holds the whole state. Live messages and recorded messages (`bags`) are converted by the same code, so they
give equal verdicts. The node was tested with simulated messages, not on a robot. Start it with
`python -m openshape_ood.ros --ros-args -p known:="[chair, table]" -p model:=tiny -p map:=home.map`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from openshape_ood.bags.messages import Frame, Stream
from openshape_ood.errors import OpenShapeError
from openshape_ood.scene_map import MapObject, SceneMap

PARAMETERS: dict[str, Any] = {
    "known": [""], "known_file": "", "model": "", "map": "home.map", "frame": "map", "max_jump": 5.0,
    "known_map": "", "least_seen": 1,
    "cloud": "/points", "depth": "", "camera": "",
}  # fmt: skip
COLORS = {"new": (0.75, 0.1, 0.1), "unsure": (0.9, 0.6, 0.2), "known": (0.3, 0.6, 0.3)}


def open_map(parameters: dict[str, Any]) -> SceneMap:
    """Open the saved map of the folder, or create a map with the known classes of the parameters."""
    folder, jump = Path(parameters["map"]).expanduser(), parameters["max_jump"] or None
    if (folder / "events.jsonl").is_file():
        return SceneMap.load(folder, max_jump=jump)
    from openshape_ood.known import KnownClasses

    known: Any = [name for name in parameters["known"] if name]
    if parameters["known_file"]:
        known = KnownClasses.load(parameters["known_file"])
    settings: dict[str, Any] = {"model": parameters["model"] or None, "max_jump": jump}
    settings["least_seen"] = parameters["least_seen"]
    if parameters["known_map"]:
        with SceneMap.load(parameters["known_map"]) as mapped:
            settings["objects"] = mapped.object_threshold(least_seen=parameters["least_seen"])
    return SceneMap.prepare(known, path=folder, **settings)


class MapNode:
    """Callbacks of a node. They add messages to a map, and publish detections and markers.

    Parameters
    ----------
    node : rclpy.node.Node
        A node, or any object with `create_subscription`, `create_publisher` and `get_logger`.
    messages : namespace
        Message types, see `message_types`.
    scene_map : SceneMap
    parameters : dict
        Values with the keys of `PARAMETERS`.
    """

    def __init__(self, node: Any, messages: Any, scene_map: SceneMap, parameters: dict[str, Any]) -> None:
        self.node, self.messages, self.map = node, messages, scene_map
        self.frame = parameters["frame"]
        self.stream = Stream(self.frame)
        self.detections = node.create_publisher(messages.Detection3DArray, "~/objects", 10)
        self.markers = node.create_publisher(messages.MarkerArray, "~/markers", 10)
        image = messages.CompressedImage if parameters["depth"].endswith(("compressed", "Depth")) else messages.Image
        topics = [("/tf", messages.TFMessage, "transforms"), ("/tf_static", messages.TFMessage, "transforms")]
        topics += [(parameters["camera"], messages.CameraInfo, "camera"), (parameters["depth"], image, "depth")]
        topics += [(parameters["cloud"], messages.PointCloud2, "cloud")]
        for topic, kind, name in topics:
            if topic:
                quality = messages.latched if topic == "/tf_static" else 100 if topic == "/tf" else messages.sensor
                node.create_subscription(kind, topic, self._callback(name, topic), quality)

    def _callback(self, name: str, topic: str) -> Any:
        def take(message: Any) -> None:
            for frame in self.stream.put(name, message, topic):
                if self.take(frame):
                    self.publish(frame.time)

        return take

    def take(self, frame: Frame) -> bool:
        """Add a frame to the map. Returns False for an unusable frame, and logs the reason."""
        try:
            changes = self.map.add(frame.given(), None if frame.points is None else frame.pose, frame.time)
        except OpenShapeError as error:
            self.node.get_logger().warning(str(error))
            return False
        for one in changes:
            if one["event"] == "verdict":
                self.node.get_logger().info(f"object {one['object']} is {one['verdict']}: {one['reason']}")
        return True

    def publish(self, time: float) -> None:
        """Publish all objects of the map as detections and markers."""
        array, markers = self.messages.Detection3DArray(), self.messages.MarkerArray()
        self._head(array.header, time)
        markers.markers.append(self._removal(time))
        for one in self.map:
            array.detections.append(self._detection(one, time))
            markers.markers.append(self._marker(one, time))
        self.detections.publish(array)
        self.markers.publish(markers)

    def close(self) -> None:
        """Add the waiting frames, save the map and release its folder. Nothing is published: ROS may be shut down."""
        for frame in self.stream.rest():
            self.take(frame)
        if self.map.path is not None:
            self.map.save()
        self.map.close()

    def _head(self, header: Any, time: float) -> None:
        header.frame_id = self.frame
        header.stamp.sec, header.stamp.nanosec = int(time), int(time % 1 * 1e9)

    def _detection(self, one: MapObject, time: float) -> Any:
        detection, guess = self.messages.Detection3D(), self.messages.ObjectHypothesisWithPose()
        self._head(detection.header, time)
        detection.id = str(one.number)
        guess.hypothesis.class_id = one.verdict.name or one.verdict.verdict
        guess.hypothesis.score = float(1 - one.verdict.p_value if one.verdict.verdict == "new" else one.verdict.p_value)
        detection.results.append(guess)
        self._place(detection.bbox.center, detection.bbox.size, one)
        return detection

    def _marker(self, one: MapObject, time: float) -> Any:
        made = self.messages.Marker()
        self._head(made.header, time)
        made.ns, made.id = "objects", one.number
        made.type, made.action = 1, 0  # type 1: a cube; action 0: add or change it
        self._place(made.pose, made.scale, one)
        made.color.r, made.color.g, made.color.b = COLORS[one.verdict.verdict]
        made.color.a = 0.4
        return made

    def _removal(self, time: float) -> Any:
        """Marker that removes all earlier markers from the display, so that merged objects disappear."""
        made = self.messages.Marker()
        self._head(made.header, time)
        made.ns, made.action = "objects", 3
        return made

    @staticmethod
    def _place(pose: Any, size: Any, one: MapObject) -> None:
        from math import cos, sin

        for axis, center, side in zip("xyz", one.box.center, one.box.size, strict=True):
            setattr(pose.position, axis, float(center))
            setattr(size, axis, float(max(side, 0.01)))
        pose.orientation.z, pose.orientation.w = sin(one.box.yaw / 2), cos(one.box.yaw / 2)


def message_types() -> Any:
    """Message types of the ROS 2 installation, and the quality of service of subscriptions."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
    from tf2_msgs.msg import TFMessage
    from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose
    from visualization_msgs.msg import Marker, MarkerArray

    types = [CameraInfo, CompressedImage, Image, PointCloud2, TFMessage]
    types += [Detection3D, Detection3DArray, ObjectHypothesisWithPose, Marker, MarkerArray]
    latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    # cameras publish with best effort, which a reliable subscription does not receive
    return SimpleNamespace(latched=latched, sensor=qos_profile_sensor_data, **{kind.__name__: kind for kind in types})


def main() -> None:
    """Run the node until it is stopped."""
    import rclpy
    from rclpy.executors import ExternalShutdownException

    rclpy.init(args=sys.argv)
    node = rclpy.create_node("openshape_ood")
    chosen = {name: node.declare_parameter(name, value).value for name, value in PARAMETERS.items()}
    running = MapNode(node, message_types(), open_map(chosen), chosen)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):  # stopped by a person, or by ROS
        pass
    finally:
        running.close()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
