"""Frames for a map from ROS 2 messages. A frame is a point cloud or a depth image, with its pose.

Messages are read by their attributes, so bags and live topics work alike, and ROS is not needed. Sizes in a message are
checked against its number of bytes.
"""

from __future__ import annotations

import heapq
import io
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import CloudError, InputError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.scenes import Scene
    from openshape_ood.views import View

LATE = 1.0  # maximum lag of a message's stamp behind the newest stamp, in seconds
WAITING = 64  # maximum frames in the sorting buffer
FRAMES, KEPT = 1000, 200  # maximum coordinate frames, and stored transforms of each
MOST_POINTS, MOST_PIXELS = 20_000_000, 40_000_000
FAR = 1000.0  # meters from the sensor, implausible indoors
STRAY = 0.01  # maximum fraction of points farther than `FAR`; these are dropped
# maximum seconds from a frame to the nearest transform; a single transform, as on /tf_static, is always used
STALE = 1.0
FLOATS = {7: "f4", 8: "f8"}  # PointField datatypes of coordinates
PACKED = {6: "u4", 7: "f4"}  # PointField datatypes of color, 0x00RRGGBB
DEPTHS = {"16UC1": ("u2", 1000.0), "mono16": ("u2", 1000.0), "32FC1": ("f4", 1.0)}
PNG = b"\x89PNG\r\n\x1a\n"
KINDS = {
    "sensor_msgs/msg/PointCloud2": "cloud",
    "sensor_msgs/msg/Image": "depth",
    "sensor_msgs/msg/CompressedImage": "depth",
    "sensor_msgs/msg/CameraInfo": "camera",
    "tf2_msgs/msg/TFMessage": "transforms",
}


@dataclass(frozen=True, eq=False)
class Frame:
    """Content of one message, or the reason why it is unusable.

    points (n, 3), color (n, 3) or None: content of a cloud. depth (h, w), intrinsics (3, 3): content of a depth image.
    pose: transform (4, 4) from the sensor to the fixed frame. time: seconds. source: topic and time. reason: why the
    frame is unusable; "" for a usable one.
    """

    time: float
    source: str
    points: np.ndarray | None = None
    color: np.ndarray | None = None
    depth: np.ndarray | None = None
    intrinsics: np.ndarray | None = None
    pose: np.ndarray | None = None
    reason: str = ""

    def given(self) -> View | Scene:
        """Argument for `SceneMap.add`. Raises `InputError` or `CloudError` for an unusable frame."""
        from openshape_ood.scenes import Scene
        from openshape_ood.views import View

        if self.reason:
            raise InputError(self.reason)
        if self.points is not None:
            return Scene(self.points, self.color, name=self.source)
        if self.depth is None or self.intrinsics is None or self.pose is None:
            raise InputError(
                f"{self.source}: the depth image has no camera. Expected camera info and a pose. Record both topics."
            )
        gray = np.full((*self.depth.shape, 3), 0.5, dtype=np.float32)
        return View(gray, self.depth, self.intrinsics, self.pose, name=self.source)


def cloud_of(message: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Points (n, 3) float64, and colors (n, 3) float32 or None, of a PointCloud2. Non-finite points are dropped.

    Raises `CloudError` if fields, sizes and bytes contradict each other, or no point is left.
    """
    step, data = int(message.point_step), memoryview(bytes(message.data))
    count = int(message.width) * int(message.height)
    if not 0 <= count <= MOST_POINTS or step < 1 or count * step > len(data):
        raise CloudError(
            f"a cloud states {count:,} points of {step} bytes, but has {len(data):,} bytes. Expected all of its "
            f"points, and {MOST_POINTS:,} at most. Record the bag again."
        )
    order = ">" if message.is_bigendian else "<"
    fields = {str(one.name): (int(one.offset), int(one.datatype)) for one in message.fields}
    rows = np.frombuffer(data[: count * step], dtype=np.uint8).reshape(count, step)
    columns = []
    for name in "xyz":
        offset, kind = fields.get(name, (-1, 0))
        if kind not in FLOATS or not 0 <= offset <= step - int(FLOATS[kind][1]):
            raise CloudError(
                f"a cloud has no field {name!r} of float32 or float64. Expected x, y and z. Give --topic another cloud."
            )
        columns.append(_column(rows, offset, order + FLOATS[kind]).astype(np.float64))
    points = np.stack(columns, axis=1)
    kept = np.asarray(np.isfinite(points).all(axis=1))
    far = kept & (np.abs(np.where(kept[:, None], points, 0)).max(axis=1) > FAR)
    if far.sum() > STRAY * max(1, kept.sum()):
        raise CloudError(
            f"{far.sum():,} of {kept.sum():,} points are more than {FAR:,.0f} m from the sensor. Expected meters in "
            "the frame of the sensor. Divide millimeters by 1000."
        )
    kept &= ~far
    if not kept.any():
        raise CloudError(
            f"a cloud of {count:,} points has no finite point. Expected measured points. Check the sensor."
        )
    color = None
    packing = next((one for one in ("rgb", "rgba") if one in fields), None)
    if packing is not None and fields[packing][1] in PACKED and 0 <= fields[packing][0] <= step - 4:
        packed = _column(rows, fields[packing][0], f"{order}u4")[kept]
        color = np.stack([packed >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(np.float32) / 255
    return points[kept], color


def _column(rows: np.ndarray, offset: int, kind: str) -> np.ndarray:
    width = int(kind[-1])
    return np.ascontiguousarray(rows[:, offset : offset + width]).view(kind)[:, 0]


def depth_of(message: Any) -> np.ndarray:
    """Depth (h, w) float32 in meters of an Image or CompressedImage; 0 is unknown. Raises `CloudError`."""
    if hasattr(message, "format"):
        return _compressed(bytes(message.data), str(message.format))
    h, w, encoding = int(message.height), int(message.width), str(message.encoding)
    if encoding not in DEPTHS:
        raise CloudError(
            f"an image has the encoding {encoding!r:.40}. Expected depth: {', '.join(DEPTHS)}. Give another topic."
        )
    kind, scale = DEPTHS[encoding]
    step, data = int(message.step), bytes(message.data)
    if not (0 < h * w <= MOST_PIXELS) or step < w * int(kind[1]) or step * h > len(data):
        raise CloudError(
            f"an image states {w} x {h} pixels and {step} bytes a row, but has {len(data):,} bytes. Expected all of "
            "its pixels. Record the bag again."
        )
    rows = np.frombuffer(data, dtype=np.uint8, count=step * h).reshape(h, step)[:, : w * int(kind[1])]
    order = ">" if message.is_bigendian else "<"
    return (np.ascontiguousarray(rows).view(order + kind) / scale).astype(np.float32)


def _compressed(data: bytes, kind: str) -> np.ndarray:
    from PIL import Image

    start = data.find(PNG, 0, 64)  # compressedDepth has a header before the PNG
    if start < 0:
        raise CloudError(
            f"a compressed image of the format {kind!r:.40} is no PNG. Expected 16-bit PNG. Choose another topic."
        )
    try:
        with Image.open(io.BytesIO(data[start:]), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS or not image.mode.startswith("I"):
                raise CloudError(
                    f"a PNG is {image.width} x {image.height}, {image.mode}. Expected a 16-bit depth image of at most "
                    f"{MOST_PIXELS:,} pixels. Give another topic."
                )
            return (np.asarray(image, dtype=np.float64) / DEPTHS["16UC1"][1]).astype(np.float32)
    except (OSError, ValueError, SyntaxError) as error:
        raise CloudError(f"a compressed image is damaged: {error}. Expected a PNG. Leave it out.") from error


def camera_of(message: Any) -> np.ndarray:
    """Intrinsics (3, 3) of a CameraInfo. `View` validates them."""
    matrix = np.array(getattr(message, "k", getattr(message, "K", ())), dtype=np.float64)
    if matrix.shape != (9,) or not np.isfinite(matrix).all():
        raise CloudError("camera info has no matrix k of 9 finite numbers. Expected a calibrated camera. Calibrate it.")
    return matrix.reshape(3, 3)


class Transforms:
    """Tree of coordinate frames over time, with bounded memory."""

    def __init__(self) -> None:
        self._of: dict[str, deque[tuple[float, str, np.ndarray]]] = {}

    def add(self, message: Any) -> None:
        """Add a TFMessage. Raises `CloudError` for an invalid rotation."""
        for one in message.transforms:
            child, parent = _name(one.child_frame_id), _name(one.header.frame_id)
            if child not in self._of and len(self._of) >= FRAMES:
                raise CloudError(
                    f"there are more than {FRAMES} coordinate frames. Expected the frames of one robot. Filter /tf."
                )
            kept = self._of.setdefault(child, deque(maxlen=KEPT))
            kept.append((stamp(one.header), parent, _matrix(one.transform)))

    def pose(self, frame: str, world: str, time: float) -> np.ndarray:
        """Transform (4, 4) from frame to world, nearest in time. Raises `CloudError` if there is none."""
        current, pose = _name(frame), np.eye(4)
        for _ in range(FRAMES):
            if current == _name(world):
                return pose
            if current not in self._of:
                way = "Record /tf and /tf_static too"
                if current != _name(frame):
                    way = f"Its chain ends at {current!r:.60}: give --frame {current:.60}, if this frame is fixed"
                raise CloudError(
                    f"there is no transform from {frame!r:.60} to {world!r:.60}. Expected a chain on /tf. {way}."
                )
            at, parent, matrix = min(reversed(self._of[current]), key=lambda one: abs(one[0] - time))
            if len(self._of[current]) > 1 and abs(at - time) > STALE:
                raise CloudError(
                    f"the transform of {current!r:.60} nearest in time is {abs(at - time):.1f} s away. Expected at "
                    f"most {STALE:g} s. Record /tf without gaps."
                )
            pose, current = matrix @ pose, parent
        raise CloudError("the coordinate frames form a cycle. Expected a tree. Correct the publishers of /tf.")


def stamp(header: Any) -> float:
    """Seconds of a header."""
    time = header.stamp
    return int(time.sec) + int(getattr(time, "nanosec", getattr(time, "nanosecs", 0))) * 1e-9


def _name(frame: Any) -> str:
    return str(frame).lstrip("/")


def _matrix(transform: Any) -> np.ndarray:
    x, y, z, w = (float(getattr(transform.rotation, name)) for name in "xyzw")
    length = x * x + y * y + z * z + w * w
    translation = [float(getattr(transform.translation, name)) for name in "xyz"]
    if not (abs(length - 1) < 0.01 and np.isfinite(translation).all()):
        raise CloudError(
            f"a transform has a quaternion of length {length**0.5:.3g}. Expected length 1. Correct its publisher."
        )
    s = 2 / length
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
        [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
        [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
    ]
    matrix[:3, 3] = translation
    return matrix


class Stream:
    """Conversion of messages, which may arrive out of order, to frames in the order of their stamps.

    A frame is emitted when a frame with a stamp one second later arrives, or when more than 64 frames wait. A message
    that is older than an emitted frame is refused.

    Parameters
    ----------
    world : str
        Fixed coordinate frame of the poses.
    """

    def __init__(self, world: str = "map") -> None:
        self.world, self.transforms = world, Transforms()
        self._cameras: dict[str, np.ndarray] = {}
        self._waiting: list[tuple[float, int, str, str, Any]] = []
        self._count, self._newest, self._given = itertools.count(), -np.inf, -np.inf

    def put(self, kind: str, message: Any, topic: str = "") -> Iterator[Frame]:
        """Add a message of one of `KINDS`. Yields the frames that are ready, and refused ones with a reason."""
        try:
            if kind == "transforms":
                self.transforms.add(message)
                return
            frame, time = _name(message.header.frame_id), stamp(message.header)
            if kind == "camera":
                if frame in self._cameras or len(self._cameras) < FRAMES:
                    self._cameras[frame] = camera_of(message)
                return
        except (OpenShapeError, AttributeError, TypeError, ValueError, OverflowError) as error:
            yield Frame(max(self._newest, 0.0), topic, reason=f"{topic}: {error}")
            return
        if time < self._given:
            reason = f"{topic}: a message of {time:.3f} s arrived after the frame of {self._given:.3f} s"
            expected = f"Expected a delay of at most {LATE:g} s"
            yield Frame(time, topic, reason=f"{reason}. {expected}. Check the clocks of the sensors.")
            return
        heapq.heappush(self._waiting, (time, next(self._count), kind, topic, message))
        self._newest = max(self._newest, time)
        yield from self._ready(self._newest - LATE)

    def rest(self) -> Iterator[Frame]:
        """Remaining frames at the end of the stream."""
        yield from self._ready(np.inf)

    def _ready(self, until: float) -> Iterator[Frame]:
        while self._waiting and (self._waiting[0][0] <= until or len(self._waiting) > WAITING):
            time, _, kind, topic, message = heapq.heappop(self._waiting)
            self._given = time
            source = f"{topic} {time:.3f}"
            try:
                yield self._frame(kind, message, time, source)
            except (OpenShapeError, AttributeError, TypeError, ValueError, OverflowError) as error:
                yield Frame(time, source, reason=f"{source}: {error}")

    def _frame(self, kind: str, message: Any, time: float, source: str) -> Frame:
        frame = _name(message.header.frame_id)
        pose = self.transforms.pose(frame, self.world, time)
        if kind == "cloud":
            points, color = cloud_of(message)
            return Frame(time, source, points, color, pose=pose)
        if frame not in self._cameras:
            raise CloudError(
                f"there is no camera info of {frame!r:.60}. Expected it before the depth image. Record this topic too."
            )
        return Frame(time, source, depth=depth_of(message), intrinsics=self._cameras[frame], pose=pose)
