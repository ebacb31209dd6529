"""Frames from an MCAP bag of ROS 2, read in a child process with limits of memory and time. ROS is not needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.bags.messages import KINDS, Frame, Stream
from openshape_ood.checks import given_path
from openshape_ood.errors import CloudError, FileError, MissingPackageError, OpenShapeError, WorkerError
from openshape_ood.storage import check_regular
from openshape_ood.workers import Limits, Work, in_order

RECORD = 256 * 2**20  # maximum bytes of a record
LIMITS = Limits(cpu=60, wall=120, memory=2**31)  # limits for each frame
SCHEMA = 2**20  # maximum bytes of a message definition
NO_MEMORY = "a record needs too much memory. Expected an undamaged bag. Record the bag again."
READ = "openshape_ood.bags.reading:frames"
ARRAYS = ("points", "color", "depth", "intrinsics", "pose")


def read_bag(path: str | os.PathLike[str], *, frame: str = "map", topics: Sequence[str] = ()) -> Iterator[Frame]:
    """Frames of an MCAP bag: point clouds and depth images, each with its pose.

    Parameters
    ----------
    path : path
        An .mcap file of ROS 2 messages.
    frame : str
        Fixed coordinate frame of the poses. /tf must contain transforms to it. Default: "map".
    topics : sequence of str
        Topics of clouds or depth images. Default: all topics of clouds, and of images with "depth" in the topic.

    Yields
    ------
    Frame
        Frames in the order of header stamps; messages may be out of order by up to 1 s. An unusable frame has a
        `reason`.

    Raises
    ------
    FileError
        If the file is no bag, is truncated, or exceeds the limits. Frames before this point are yielded first.
    MissingPackageError
        If mcap or mcap-ros2-support is not installed.
    """
    given = given_path(path, "path")
    if find_spec("mcap") is None or find_spec("mcap_ros2") is None:
        raise MissingPackageError(
            "MCAP bags are not available. Expected the packages mcap and mcap-ros2-support. Run pip install "
            "'openshape-ood[mcap]'."
        )
    try:
        check_regular(given)
    except OSError as error:
        raise FileError(
            f"cannot read the bag {given}: {error.strerror or error}. Expected a readable file. Check the path."
        ) from error
    settings = {"path": str(given.resolve()), "world": frame, "topics": list(topics)}
    for done in in_order(READ, settings, count(), workers=1, ahead=1, limits=lambda _: LIMITS):
        if isinstance(done.error, WorkerError | MemoryError):
            raise FileError(
                f"{given}: {done.error or 'reading it needs too much memory'}. Expected frames that take at most "
                f"{LIMITS.cpu:g} s and {(LIMITS.memory or 0) / 2**30:g} GiB. Record smaller clouds or images."
            ) from done.error
        if done.error is not None:
            raise FileError(f"{given}: {done.error}") from done.error
        answer = done.answer
        if answer["end"]:
            if answer["reason"]:
                raise FileError(f"{given}: {answer['reason']}")
            return
        arrays: dict[str, Any] = dict(zip(answer["arrays"], done.arrays, strict=True))
        yield Frame(float(answer["time"]), str(answer["source"]), reason=str(answer["reason"]), **arrays)


def frames(path: str, world: str, topics: Sequence[str]) -> Work:
    """Task of the child process: a function that returns the next frame of a bag, or the reason why there is none."""
    remaining, expected = _frames(Path(path), world, topics), count()

    def work(index: int) -> tuple[Any, Sequence[np.ndarray]]:
        if index != next(expected):
            raise FileError("reading was interrupted. Expected one process for the whole bag. Read the bag again.")
        try:
            one = next(remaining)
        except StopIteration:
            return {"end": True, "reason": ""}, ()
        except (OpenShapeError, MemoryError) as error:
            return {"end": True, "reason": str(error) or NO_MEMORY}, ()
        arrays = {name: value for name in ARRAYS if (value := getattr(one, name)) is not None}
        answer = {"end": False, "time": one.time, "source": one.source[:256], "reason": one.reason[:2000]}
        return {**answer, "arrays": list(arrays)}, tuple(arrays.values())

    return work


def _frames(path: Path, world: str, topics: Sequence[str]) -> Iterator[Frame]:
    from mcap.exceptions import McapError
    from mcap.records import Channel, Message, Schema
    from mcap.stream_reader import StreamReader
    from mcap_ros2.decoder import DecoderFactory

    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    undecodable: set[int] = set()
    decoders, stream, used = DecoderFactory(), Stream(world), 0
    broken: Exception | None = None
    with path.open("rb") as file:
        records = iter(StreamReader(file, record_size_limit=RECORD).records)
        while True:
            try:
                record = next(records)
            except StopIteration:
                break
            except (McapError, ValueError, EOFError, RuntimeError, LookupError, OverflowError) as error:
                broken = error  # truncated, or wrong lengths
                break
            except Exception as error:  # decompressors have their own errors
                if isinstance(error, MemoryError):
                    raise
                broken = error
                break
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels.get(record.channel_id)
                schema = None if channel is None else schemas.get(channel.schema_id)
                kind = None if schema is None else KINDS.get(schema.name)
                if channel is None or schema is None or kind is None:
                    continue
                if kind in ("cloud", "depth") and topics and channel.topic not in topics:
                    continue
                if kind == "depth" and not topics and "depth" not in channel.topic.lower():
                    continue  # a color image
                if schema.id in undecodable:
                    continue
                try:
                    decoded = _decoder(decoders, channel.message_encoding, schema)(record.data)
                except MemoryError:
                    raise
                except Exception as error:  # parsers of custom definitions have their own errors
                    if isinstance(error, CloudError):
                        undecodable.add(schema.id)
                    time, name = record.log_time * 1e-9, type(error).__name__
                    reason = f"{channel.topic}: a message of {schema.name} cannot be decoded: {error or name}"
                    yield Frame(time, f"{channel.topic} {time:.3f}", reason=reason)
                    continue
                used += kind in ("cloud", "depth")
                yield from stream.put(kind, decoded, channel.topic)
    yield from stream.rest()
    if broken is not None:
        reason = str(broken) or type(broken).__name__
        raise FileError(
            f"the bag is truncated or damaged: {reason}. Expected a complete bag. Recover it with `mcap recover`."
        )
    if not used:
        names = ", ".join(sorted({one.topic for one in channels.values()})[:10]) or "none"
        kinds = "PointCloud2, or depth Image with CameraInfo"
        raise FileError(f"the bag has no usable message. Expected {kinds}. Give --topic; its topics are {names[:500]}.")


def _decoder(decoders: Any, encoding: str, schema: Any) -> Any:
    if len(schema.data) > SCHEMA:
        raise CloudError(
            f"its definition has {len(schema.data):,} bytes. Expected {SCHEMA:,} at most. Leave this topic out."
        )
    decode = decoders.decoder_for(encoding, schema)
    if decode is None:
        raise CloudError(
            f"its encoding is {encoding!r:.40} with {schema.encoding!r:.40}. Expected cdr with ros2msg. Convert it."
        )
    return decode
