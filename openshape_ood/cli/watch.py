"""openshape-ood watch: add views and scans as they arrive to a map of known and new objects."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from openshape_ood.cli import options
from openshape_ood.cli.console import failed_json, finish, plain, print_line, print_note, shown, warnings_as_notes
from openshape_ood.cli.options import RESULT, argument, option
from openshape_ood.cli.outputs import check_picture
from openshape_ood.cli.scene import ScanOptions
from openshape_ood.errors import FileError, InputError, OpenShapeError
from openshape_ood.shapes.failure import Failure

if TYPE_CHECKING:
    from openshape_ood.scene_map import SceneMap

EXAMPLES = """
  openshape-ood watch scans --known chair table sofa --model tiny --map home.map --once
  openshape-ood watch scans --map home.map --page home.html
  openshape-ood watch drive.mcap --known chair table --map home.map --frame map --json
"""
STREAM = "Stream"
MARKS = {"new": "bold red", "known": "green", "unsure": "yellow"}
SAVED = 200  # number of views between two snapshots of the map


def watch(
    source: Annotated[Path, argument("A folder with views and scans, or an MCAP bag of ROS 2.", "FOLDER|FILE.mcap")],
    /,
    *,
    map: Annotated[Path, option(RESULT, "Folder of the map, created if missing.", "FOLDER", "--map")],
    chosen: ScanOptions = ScanOptions(),
    known_map: Annotated[
        Path | None,
        option(
            RESULT,
            "Existing map of a place with known objects only. It calibrates the p-values of a new map.",
            "FOLDER",
        ),
    ] = None,
    least_seen: Annotated[
        int,
        option(
            RESULT,
            "Minimum number of views of an object for the verdict new. Only for a new map. About 6 rejects fragments.",
            "N",
            min=1,
        ),
    ] = 1,
    once: Annotated[bool, option(STREAM, "Add the files that exist now, then end.")] = False,
    poll: Annotated[float, option(STREAM, "Seconds between two checks of the folder.", min=0.05, max=3600)] = 1.0,
    frame: Annotated[
        str, option(STREAM, "Fixed coordinate frame of a bag. /tf must have transforms to it.", "NAME")
    ] = "map",
    topic: Annotated[
        list[str] | None,
        option(STREAM, "Topics of a bag. Default: all clouds, and images whose topic contains 'depth'.", "NAME..."),
    ] = None,
    max_jump: Annotated[
        float, option(STREAM, "Maximum distance in meters between consecutive poses. 0: any.", min=0)
    ] = 5.0,
    page: Annotated[
        Path | None, option(RESULT, "Write an interactive .html page of the map at the end.", "FILE")
    ] = None,
    json: options.Json = False,
) -> None:
    """Build a map of the objects in views and scans as they arrive: known, new or unsure. Prints one line per event.

    An existing map is resumed, even if the process was killed. Files in the map are not added again. A copy of such a
    file is skipped with a warning.
    """
    check_picture("--page", page, (".html",), "plotly")
    given = source.expanduser()
    if not given.exists():
        raise FileError(f"there is no {source}. Expected a folder, or an .mcap file. Check the path.")
    if given.is_file() and given.suffix.lower() != ".mcap":
        raise InputError(
            f"{source} is a file. Expected a folder with views and scans, or an .mcap bag. Give its folder."
        )
    failures: list[Failure] = []
    scene_map = _map(map.expanduser(), chosen, max_jump or None, failures, known_map, least_seen)
    with scene_map:
        incoming = (
            _of_bag(given, frame, topic or [], scene_map, json)
            if given.is_file()
            else _of_folder(given, scene_map, once, poll, json)
        )
        try:
            for count, one in enumerate(incoming, 1):
                _take(scene_map, one, json, failures)
                if count % SAVED == 0:
                    scene_map.save()
        except KeyboardInterrupt:
            print_note("stopped; the same command resumes the map")
        except FileError as error:  # a truncated bag
            failures.append(Failure(str(given), str(error)))
        scene_map.save()
        if page is not None:
            _write_page(scene_map, page)
        counts = {**scene_map.counts(), "views": scene_map.state.views}
        if json:
            _print_json({"event": "end", **counts, "failed": failed_json(failures)})
        else:
            counted = ", ".join(f"{number} {name}" for name, number in counts.items())
            print_line(f"{shown(map)}: {counted}")
            _print_questions(scene_map)
    finish(failures)


app = options.single(watch, EXAMPLES)


def _map(
    folder: Path,
    chosen: ScanOptions,
    max_jump: float | None,
    failures: list[Failure],
    known_map: Path | None,
    least_seen: int,
) -> SceneMap:
    """Saved map of the folder, or a new map with the known classes in the options."""
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.scene_map import SceneMap
    from openshape_ood.scene_map.scene_map import EVENTS

    named = chosen.known or chosen.examples or chosen.known_file
    if known_map is not None and (folder / EVENTS).is_file():
        raise InputError(
            f"--known-map was given for the existing map {folder}. Expected a new map. Choose another --map, or leave "
            "--known-map out."
        )
    with warnings_as_notes():
        if (folder / EVENTS).is_file() and not named:
            return SceneMap.load(folder, max_jump=max_jump)
        inputs = Inputs()
        pipeline = chosen.pipeline(inputs)
        failures += inputs.failures
        if (folder / EVENTS).is_file():
            return SceneMap.load(folder, pipeline, max_jump=max_jump)
        objects = None
        if known_map is not None:
            with SceneMap.load(known_map, pipeline) as known:
                objects = known.object_threshold(least_seen=least_seen)
        return SceneMap.prepare(pipeline, path=folder, max_jump=max_jump, objects=objects, least_seen=least_seen)


class Incoming(NamedTuple):
    """One input: its name, a function that reads it, pose and time of a frame, and digest of a file."""

    name: str
    read: Callable[[], Any]
    pose: Any = None
    time: float | None = None
    digest: str = ""


def _of_folder(folder: Path, scene_map: SceneMap, once: bool, poll: float, json: bool) -> Iterator[Incoming]:
    """Files of the folder that are not in the map. A copy of a file in the map is skipped with a warning."""
    from openshape_ood.scene_map.arrivals import arrivals, digest_of, loaded

    done = _done(scene_map)
    pairs, first = set(done), {digest: name for name, digest in reversed(done)}
    for path in arrivals(folder, once=once, poll=poll):
        name, digest = path.name[-256:], digest_of(path)
        if (name, digest) in pairs or (name, "") in pairs:
            continue
        if digest and digest in first:
            reason = f"{name} has the same content as {first[digest]}. Expected a new view or scan. It was not added."
            scene_map.skip(name, reason, digest=digest)
            _print_skipped(name, reason, json)
            continue
        first[digest] = name
        yield Incoming(name, partial(loaded, path), digest=digest)


def _of_bag(path: Path, frame: str, topics: list[str], scene_map: SceneMap, json: bool) -> Iterator[Incoming]:
    """Frames of a bag that are later than the last frame in the map. A warning counts the other frames."""
    from openshape_ood.bags.reading import read_bag

    done, before, skipped = {name for name, _ in _done(scene_map)}, scene_map.state.time, 0
    for one in read_bag(path, frame=frame, topics=topics):
        if before is not None and (one.time < before or (one.time == before and one.source in done)):
            skipped += 1
            continue
        yield Incoming(one.source[-256:], one.given, None if one.points is None else one.pose, one.time)
    if skipped:
        reason = f"{skipped:,} frames of {path.name} are not after {before:.3f} s, the last time of the map"
        _print_skipped(path.name, f"{reason}. Expected later frames. They were not added.", json)


def _done(scene_map: SceneMap) -> list[tuple[str, str]]:
    """Name and digest of each input in the log of the map."""
    from openshape_ood.scene_map.arrivals import sources
    from openshape_ood.scene_map.scene_map import EVENTS

    return [] if scene_map.path is None else sources(scene_map.path / EVENTS)


def _print_skipped(name: str, reason: str, json: bool) -> None:
    if json:
        _print_json({"event": "skipped", "source": name, "reason": reason})
    else:
        print_note(reason, "yellow")


def _take(scene_map: SceneMap, one: Incoming, json: bool, failures: list[Failure]) -> None:
    """Add one view and print its changes. An unusable view is recorded as a failure."""
    name, time = one.name, one.time
    try:
        with warnings_as_notes():
            changes = scene_map.add(one.read(), one.pose, time, source=name, digest=one.digest)
    except OpenShapeError as error:
        failures.append(Failure(name, str(error)))
        scene_map.skip(name, str(error), digest=one.digest)
        if json:
            _print_skipped(name, str(error), json)
        return
    for change in changes:
        if json:
            _print_json({"source": name, "time": time, **change})
        elif change["event"] != "look":
            print_line(f"{shown(name)}  {_words(change)}", MARKS.get(str(change.get("verdict")), ""))


def _words(change: dict[str, Any]) -> str:
    number = f"object {change['object']}"
    if change["event"] == "object":
        return f"{number} found, {change['points']} points"
    if change["event"] == "merged":
        return f"{number} and object {change['gone']} are the same object"
    name = f" {shown(change['name'])}" if change["name"] else ""
    return f"{number} is {change['verdict']}{name}: {shown(change['reason'])}"


def _print_questions(scene_map: SceneMap) -> None:
    for one in scene_map.ask(3):
        others = f", and {len(one.objects) - 1} similar objects" if len(one.objects) > 1 else ""
        place = ", ".join(f"{value:.2f}" for value in scene_map[one.object].box.center)
        print_line(f"what is object {one.object} at {place}{others}?")


def _print_json(record: dict[str, Any]) -> None:
    sys.stdout.write(json_module.dumps(plain(record), allow_nan=False) + "\n")
    sys.stdout.flush()


def _write_page(scene_map: SceneMap, page: Path) -> None:
    from openshape_ood import plots

    if not len(scene_map):
        print_note("no page: the map has no objects yet", "yellow")
        return
    plots.save(plots.turnable(scene_map), page.expanduser())
    print_note(f"written: {shown(page)}")
