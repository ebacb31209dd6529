"""`python -m benchmarks rooms`: labels and novelty of points by an encoder trained on generated rooms.

Test data are new generated rooms with objects of untrained categories and, with `--real DIR`, the small house.
Baselines are the untrained network, a linear classifier of its input features, and `score_scene` with `tiny`, whose
objects and planes label their points. Figures are mean IoU over frequent, less frequent and rare classes; known objects
with most points right; AUROC of novelty between known and untrained categories, for points and for objects (mean over
points). Prints tables, and writes the same as JSON.
"""

from __future__ import annotations

import argparse
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
OBJECTS, FOREIGN = 8, 4  # objects per room of known and of untrained categories
FIT_SEED = 1  # the seed of the training is 0
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
    """Prediction for n points: class (index in `CLASSES` + 1, 0 for none) and novelty."""

    classes: np.ndarray
    novelty: np.ndarray


Way = Callable[[Scene], Guess]


def by_points(encoder: PointEncoder, known: KnownClasses, method: str | None) -> Way:
    place = {name: i for i, name in enumerate(CLASSES, 1)}

    def guess(scene: Scene) -> Guess:
        result = segment_scene(scene, known, encoder=encoder, method=method)
        assert result.nearest is not None
        return Guess(np.array([place[name] for name in result.nearest]), result.novelty)

    return guess


def by_objects(encoder: ShapeEncoder, known: KnownClasses) -> Way:
    """Points get the class and novelty of their object or plane; other points have no class and the least novelty."""
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
    """Linear classifier of the voxels' input features; novelty is 1 - its largest probability.

    Also returns the number of training voxels per class (k,).
    """
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
        of_voxels = Guess(model.classes_[likely.argmax(axis=1)] + 1, 1 - likely.max(axis=1))
        return Guess(*(one[voxels.inverse] for one in of_voxels))

    return guess, counts


def groups(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (k,) of all classes, of each third by decreasing frequency, and of furniture."""
    rank = np.argsort(np.argsort(-counts, kind="stable"))
    thirds = {name: rank * 3 // len(counts) == i for i, name in enumerate(("head", "common", "tail"))}
    return {"miou": np.ones(len(counts), dtype=bool), **thirds, "furniture": np.isin(CLASSES, KNOWN)}


def is_novel(category: str) -> bool | None:
    """True for an untrained category; None for categories trained without a name, and for flat objects on walls."""
    if category in KNOWN:
        return False
    return None if category in OTHERS or category in FLAT else True


def figures(rooms: Sequence[Room], guesses: Sequence[Guess], masks: dict[str, np.ndarray]) -> dict[str, Any]:
    """Figures of one method over all points and objects of some rooms."""
    table = np.zeros((len(CLASSES) + 1,) * 2, dtype=np.int64)
    right, novelty, is_new = list[bool](), list[np.ndarray](), list[bool]()  # one entry per object
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
    """Rooms with known furniture and a few objects of untrained categories."""
    made: list[Room] = []
    for seed in range(FIRST, FIRST + 2 * count):
        foreign = np.random.RandomState(seed).permutation(NOVEL)[:FOREIGN].tolist()
        try:
            made.append(room(seed, categories=KNOWN, foreign=foreign, objects=OBJECTS, color=color))
        except InputError:  # the room has no space for all of them
            continue
        if len(made) == count:
            break
    return made


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
    blocks = []
    for title, each in report["figures"].items():
        lines = [(way, *(f"{row[key]:.2f}" for key in COLUMNS)) for way, row in each.items()]
        blocks.append(options.grid((title, *COLUMNS.values()), lines))
    # the committed results are of these settings, with --real
    name = f"rooms{'' if args.real else '-generated'}{f'-{args.checkpoint.stem}' if args.checkpoint else ''}"
    harness.finish(args, name, report, blocks, named=("real",), rooms=8, fit=12)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "labels and novelty of points by an encoder trained on generated rooms"
    parser = options.parser("rooms", about, "checkpoint", "real", "import")
    parser.add_argument("--rooms", type=int, default=20, help="generated rooms of each kind (default: 20)")
    parser.add_argument("--method", help="novelty method for points (default: the one for names)")
    parser.add_argument("--fit", type=int, default=32, help="training rooms of the linear classifier (default: 32)")
    return options.run(parser, run, argv, ignored=UntrainedNameWarning)  # `tiny` was not trained on "floor" and "wall"
