"""`python -m benchmarks rooms`: does a point encoder trained on generated rooms label points, and know what is new?

New generated rooms with things of categories that it was never shown, and with `--real DIR` the small house. Beside it
the same network untrained, a linear classifier of what its voxels are given, and the object way: `score_scene` with
`tiny`, whose objects and planes paint the points. Mean IoU over the classes that are frequent in training rooms, less
so, and rare; of known objects how many have most points right; AUROC of novelty, known categories against those never
trained, of points of objects and of objects by the mean over their points. Prints tables, writes the same as JSON.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.scene_data import metrics
from benchmarks.scene_data.house import house_rooms
from benchmarks.scene_data.judging import FLAT, counted, share
from benchmarks.training.room_samples import CLASSES, KNOWN, NOVEL, OTHERS, GeneratedRooms
from benchmarks.training.train_rooms import NAME, initial_network, row
from openshape_ood import PointEncoder, ShapeEncoder, TextEncoder
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scenes import Scene
from openshape_ood.scenes.objects import score_scene
from openshape_ood.scenes.point_encoder import height_and_color
from openshape_ood.scenes.segmentation import segment_scene
from openshape_ood.scenes.voxels import voxelize
from openshape_ood.synthetic.rooms import Room, room

FIRST = 17_000  # seed of the first room
OBJECTS, FOREIGN = 8, 4  # of known categories, and of those never trained
FIT_SEED = 1  # the training's own is 0
COLUMNS = {
    "miou": "mIoU",
    "head": "head",
    "common": "common",
    "tail": "tail",
    "furniture": "furniture",
    "right": "objects right",
    "auroc_points": "AUROC points",
    "auroc_objects": "AUROC objects",
}


class Guess(NamedTuple):
    """Of n points: classes from 1 as in `CLASSES`, 0 for none; novelty."""

    classes: np.ndarray
    novelty: np.ndarray


Way = Callable[[Scene], Guess]


def by_points(encoder: PointEncoder, known: KnownClasses, method: str | None) -> Way:
    place = {name: i for i, name in enumerate(CLASSES, 1)}

    def guess(scene: Scene) -> Guess:
        found = segment_scene(scene, known, encoder=encoder, method=method)
        assert found.nearest is not None
        return Guess(np.array([place[name] for name in found.nearest]), found.novelty)

    return guess


def by_objects(encoder: ShapeEncoder, known: KnownClasses) -> Way:
    """Objects paint their points, planes theirs; what is left over has no class and the least novelty."""
    place = {name: i for i, name in enumerate(CLASSES, 1)}

    def guess(scene: Scene) -> Guess:
        result = score_scene(scene, known, encoder=encoder)
        assert result.map.nearest is not None
        classes = np.array([place.get(name, 0) for name in result.map.nearest])
        for plane in result.proposals.layout:
            classes[plane.rows] = place[plane.kind]
        return Guess(classes, result.map.novelty)

    return guess


def linear(count: int) -> tuple[Way, np.ndarray]:
    """A linear classifier of what voxels are given, novelty 1 less its largest probability; points (k,) it has seen."""
    from sklearn.linear_model import LogisticRegression

    voxel = row().scan.voxel
    samples = list(map(GeneratedRooms(voxel, FIT_SEED, 0, count).__getitem__, range(count)))
    numbers, labels = (np.concatenate([one[i].numpy() for one in samples]) for i in (1, 2))
    kept = labels >= 0
    counts = np.bincount(labels[kept], minlength=len(CLASSES))
    few = np.random.RandomState(0).permutation(np.flatnonzero(kept))[:50_000]
    model = LogisticRegression(max_iter=300, class_weight="balanced").fit(numbers[few], labels[few])

    def guess(scene: Scene) -> Guess:
        voxels = voxelize(scene.points, voxel)
        likely = model.predict_proba(height_and_color(scene, voxels.first))
        found = Guess(model.classes_[likely.argmax(axis=1)] + 1, 1 - likely.max(axis=1))
        return Guess(*(one[voxels.inverse] for one in found))

    return guess, counts


def groups(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (k,) of all classes, thirds of them by falling frequency, and furniture."""
    rank = np.argsort(np.argsort(-counts, kind="stable"))
    thirds = {name: rank * 3 // len(counts) == i for i, name in enumerate(("head", "common", "tail"))}
    return {"miou": np.ones(len(counts), dtype=bool), **thirds, "furniture": np.isin(CLASSES, KNOWN)}


def is_novel(category: str) -> bool | None:
    """None for what was shown without a name, and what hangs flat on a wall."""
    if category in KNOWN:
        return False
    return None if category in OTHERS or category in FLAT else True


def figures(rooms: Sequence[Room], guesses: Sequence[Guess], masks: dict[str, np.ndarray]) -> dict[str, Any]:
    """Figures of one way over some rooms, all their points and objects together."""
    table = np.zeros((len(CLASSES) + 1,) * 2, dtype=np.int64)
    right, novelty, is_new = list[bool](), list[np.ndarray](), list[bool]()  # of objects, and of the points of each
    for made, guess in zip(rooms, guesses, strict=True):
        assert made.scene.labels is not None
        names = np.array([CLASSES.index(name) + 1 if name in CLASSES else -1 for name in made.names])
        truth = names[made.scene.labels]
        table += metrics.confusion(truth, guess.classes, len(CLASSES))
        for number in counted(made):
            rows = np.flatnonzero(made.scene.instances == number)
            novel = is_novel(made.items[number - 1].category)
            if novel is None:
                continue
            novelty.append(guess.novelty[rows])
            is_new.append(novel)
            if not novel:
                votes = np.bincount(guess.classes[rows], minlength=len(CLASSES) + 1)
                right.append(int(votes.argmax()) == int(truth[rows[0]]))
    iou = metrics.class_iou(table)[1:]
    new = np.array(is_new)
    of_points = np.repeat(new, [len(one) for one in novelty])
    means = {name: metrics.mean_iou(iou, mask) for name, mask in masks.items()}
    return {
        **{name: mean for name, (mean, _) in means.items()},
        "counted": {name: count for name, (_, count) in means.items()},
        "right": share(np.array(right)),
        "auroc_points": metrics.known_against_novel(np.concatenate(novelty), of_points),
        "auroc_objects": metrics.known_against_novel(np.array([one.mean() for one in novelty]), new),
        "objects": {"known": len(right), "novel": int(new.sum())},
        "iou": dict(zip(CLASSES, iou.tolist(), strict=True)),
    }


def new_rooms(count: int, color: Any) -> list[Room]:
    """Rooms of known furniture and a few things of categories never trained."""
    found: list[Room] = []
    for seed in range(FIRST, FIRST + 2 * count):
        foreign = np.random.RandomState(seed).permutation(NOVEL)[:FOREIGN].tolist()
        try:
            found.append(room(seed, categories=KNOWN, foreign=foreign, objects=OBJECTS, color=color))
        except InputError:  # they do not fit in
            continue
        if len(found) == count:
            break
    return found


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=1, fit=1)
    encoder = PointEncoder.from_pretrained(NAME, checkpoint=args.checkpoint, device="cpu")
    sets = {"new rooms": new_rooms(args.rooms, "none"), "new rooms, color": new_rooms(args.rooms, "material")}
    if args.real:
        sets["small house"] = house_rooms(args.real)
    text = TextEncoder.from_pretrained("tiny")
    names = KnownClasses.from_names(list(CLASSES), text)
    untrained = PointEncoder(row(), initial_network(0), "untrained", torch.device("cpu"))
    classifier, counts = linear(args.fit)
    tiny = ShapeEncoder.from_pretrained("tiny", device="cpu")
    ways = {
        "trained": by_points(encoder, names, args.method),
        "untrained": by_points(untrained, names, args.method),
        "linear classifier": classifier,
        "object way": by_objects(tiny, KnownClasses.from_names(list(KNOWN), text)),
    }
    masks = groups(counts)
    report = {
        "checkpoint_sha256": encoder.identity.sha256,
        "method": args.method,
        "classes": {name: int(count) for name, count in zip(CLASSES, counts, strict=True)},
        "others": OTHERS,
        "novel": NOVEL,
        "figures": {
            title: {way: figures(rooms, [guess(one.scene) for one in rooms], masks) for way, guess in ways.items()}
            for title, rooms in sets.items()
        },
    }
    said = []
    for title, each in report["figures"].items():
        lines = [(way, *(f"{own[key]:.2f}" for key in COLUMNS)) for way, own in each.items()]
        said.append(options.grid((title, *COLUMNS.values()), lines))
    # those of the package are measured beside a house of real models, with these settings
    name = f"rooms{'' if args.real else '-generated'}{f'-{args.checkpoint.stem}' if args.checkpoint else ''}"
    harness.finish(args, name, report, said, named=("real",), rooms=8, fit=12)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong."""
    about = "does a point encoder trained on generated rooms label points, and know what is new?"
    parser = options.parser("rooms", about, "checkpoint", "real", "import")
    parser.add_argument("--rooms", type=int, default=20, help="generated rooms of each kind (default: 20)")
    parser.add_argument("--method", help="method of the novelty of points (default: the one for names)")
    parser.add_argument("--fit", type=int, default=32, help="rooms of the linear classifier (default: 32)")
    args = parser.parse_args(argv)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)  # floor and wall are names that only this one has seen
        return options.finish(lambda: run(args))
