"""MCAP bags of blocks seen by a sensor, and the same messages as objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from made_up_place import frames

HEADER = "std_msgs/Header header\n"
SPLIT = "=" * 80 + "\n"
ABOUT_HEADER = f"{SPLIT}MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n"
CLOUD = (
    f"{HEADER}uint32 height\nuint32 width\nsensor_msgs/PointField[] fields\nbool is_bigendian\nuint32 point_step\n"
    f"uint32 row_step\nuint8[] data\nbool is_dense\n{ABOUT_HEADER}{SPLIT}MSG: sensor_msgs/PointField\nstring name\n"
    "uint32 offset\nuint8 datatype\nuint32 count\n"
)
TF = (
    f"geometry_msgs/TransformStamped[] transforms\n{SPLIT}MSG: geometry_msgs/TransformStamped\n{HEADER}"
    f"string child_frame_id\ngeometry_msgs/Transform transform\n{ABOUT_HEADER}{SPLIT}MSG: geometry_msgs/Transform\n"
    f"geometry_msgs/Vector3 translation\ngeometry_msgs/Quaternion rotation\n{SPLIT}MSG: geometry_msgs/Vector3\n"
    f"float64 x\nfloat64 y\nfloat64 z\n{SPLIT}MSG: geometry_msgs/Quaternion\nfloat64 x\nfloat64 y\nfloat64 z\n"
    "float64 w\n"
)
TYPES = {"/points": ("sensor_msgs/msg/PointCloud2", CLOUD), "/tf": ("tf2_msgs/msg/TFMessage", TF)}


def header(time: float, frame: str) -> dict[str, Any]:
    return {"stamp": {"sec": int(time), "nanosec": round(time % 1 * 1e9)}, "frame_id": frame}


def transform(time: float, place: Any = (0, 0, 0), rotation: Any = (0, 0, 0, 1)) -> dict[str, Any]:
    own = dict(zip("xyz", map(float, place), strict=True)), dict(zip("xyzw", map(float, rotation), strict=True))
    told = {"header": header(time, "map"), "child_frame_id": "sensor"}
    return {"transforms": [{**told, "transform": {"translation": own[0], "rotation": own[1]}}]}


def cloud(points: np.ndarray, time: float, **changed: Any) -> dict[str, Any]:
    """A PointCloud2 with its fields out of order, and padding."""
    rows = np.zeros(len(points), dtype=[("z", "<f4"), ("pad", "<u4"), ("x", "<f8"), ("y", "<f4"), ("rgb", "<u4")])
    for axis, name in enumerate("xyz"):
        rows[name] = points[:, axis]
    fields = [
        {"name": name, "offset": rows.dtype.fields[name][1], "datatype": kind, "count": 1}
        for name, kind in (("z", 7), ("x", 8), ("y", 7), ("rgb", 6))
    ]
    told = {"header": header(time, "sensor"), "height": 1, "width": len(points), "fields": fields}
    told |= {"is_bigendian": False, "point_step": rows.itemsize, "row_step": rows.nbytes, "data": rows.tobytes()}
    return {**told, "is_dense": True, **changed}


def messages(count: int) -> Iterator[tuple[str, dict[str, Any], float]]:
    """Topic, content and time: the blocks of `made_up_place.frames` as a moving sensor sees them."""
    for i, (points, time) in enumerate(frames(count)):
        place = np.array([0.05 * i, 0, 0.5])
        yield "/tf", transform(time + 1, place), time + 1
        yield "/points", cloud(points - place, time + 1), time + 1


def as_object(content: Any) -> Any:
    """The content with attributes, as a message has them."""
    if isinstance(content, dict):
        return SimpleNamespace(**{name: as_object(value) for name, value in content.items()})
    return [as_object(one) for one in content] if isinstance(content, list) else content


def write_bag(path: Path, told: Any) -> Path:
    from mcap_ros2.writer import Writer

    with path.open("wb") as file:
        writer = Writer(file)
        schemas = {topic: writer.register_msgdef(*own) for topic, own in TYPES.items()}
        for topic, content, time in told:
            writer.write_message(topic, schemas[topic], content, log_time=int(time * 1e9), publish_time=int(time * 1e9))
        writer.finish()
    return path
