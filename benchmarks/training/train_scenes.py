"""`python -m benchmarks train_scenes`: training of a point encoder in the stages of arXiv 2204.07761.

    pretrain    features attracted to the text of their classes: softmax over anchors, or the paper's hinge loss
    train       all weights and a 1 x 1 classifier: cross-entropy, or focal loss with weights by frequency
    finetune    the classifier only; the rest is frozen, including the statistics of normalization

Training data are generated rooms, or ScanNet's scans with `--data-root`. `OUT/STAGE` gets `STAGE.safetensors`,
`STAGE.json` with the log, and `registry.toml`, with which `PointEncoder` loads the network. The same command resumes a
stopped run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from benchmarks import options
from benchmarks.report.output import write_json
from benchmarks.scene_data.scannet import TABLES, find_scans, read_scan
from benchmarks.training import point_losses as losses
from benchmarks.training.point_augmentation import AUGMENTATIONS, augmented, mixed, pasted
from benchmarks.training.point_training import STATE, Loss, Plan, batch_of, train
from benchmarks.training.room_samples import FIRST_SEED, Batch
from openshape_ood.encoders.devices import find_device
from openshape_ood.encoders.text.encoder import TextEncoder
from openshape_ood.errors import InputError
from openshape_ood.registry.architectures import SparseUNetSizes
from openshape_ood.registry.files import sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import ENCODERS, INPUTS, Keys, Row
from openshape_ood.registry.weights import load_strictly, read_weights
from openshape_ood.scenes import Scene
from openshape_ood.scenes.sparse.network import NETWORKS, SparseUNet, sizes_of
from openshape_ood.storage import replacing, save_whole
from openshape_ood.synthetic.rooms import room
from openshape_ood.synthetic.rooms.places import FURNITURE

STAGES = {"pretrain": ("softmax", "hinge"), "train": ("cross_entropy", "focal"), "finetune": ("cross_entropy", "focal")}
SMALL = "small"  # a network for a CPU; the last block of every network is as wide as the text embedding
SURVEYED, THINGS, LEAST = 40, 64, 30  # scans to count classes in; most rare objects kept; least points of one
RARE = 1 / 3  # fraction of rare classes in generated rooms


@dataclass(frozen=True)
class Source:
    """Training scans, whose label c + 1 is class c of `names`; tail: mask (k,) of rare classes, None to count them."""

    names: tuple[str, ...]
    count: int
    load: Callable[[int], Scene]
    tail: np.ndarray | None = None


def generated(args: argparse.Namespace) -> Source:
    @lru_cache(maxsize=args.rooms)
    def load(i: int) -> Scene:
        return room(
            FIRST_SEED + i, categories=sorted(FURNITURE), color="material", spacing=min(args.voxel / 2, 0.05)
        ).scene

    return Source(("floor", "wall", "ceiling", *sorted(FURNITURE)), args.rooms, load)


def real(args: argparse.Namespace) -> Source:
    table = TABLES[args.classes]()
    paths = find_scans(args.root, "train")
    return Source(table.names, len(paths), lambda i: read_scan(paths[i], table).scene, table.groups.get("tail"))


def surveyed(source: Source) -> tuple[np.ndarray, list[Scene]]:
    """Number of labelled points (k,) of each class in some scans, and objects of rare classes cut out of them."""
    counts, things = np.zeros(len(source.names), dtype=np.int64), list[Scene]()
    rows = range(0, source.count, -(-source.count // SURVEYED))
    for i in rows:
        labels = source.load(i).labels
        if labels is not None:
            counts += np.bincount(labels, minlength=len(counts) + 1)[1:]
    if not counts.any():
        raise InputError(
            f"no labels: all points of {len(rows)} training scans have label 0; expected labels of classes"
        )
    tail = source.tail
    if tail is None:
        tail = (counts > 0) & (counts <= np.quantile(counts[counts > 0], RARE))
    for scene in map(source.load, rows):
        if scene.labels is None or scene.instances is None or len(things) >= THINGS:
            continue
        rare = np.append(False, tail)[scene.labels] & (scene.instances > 0)
        for instance in np.unique(scene.instances[rare]):
            rows_of = rare & (scene.instances == instance)
            if rows_of.sum() >= LEAST:
                things.append(scene.take(rows_of))
    return counts, things[:THINGS]


def batches(source: Source, things: Sequence[Scene], args: argparse.Namespace, device: Any) -> Callable[[int], Batch]:
    def one(rng: np.random.RandomState) -> Scene:
        scene = source.load(int(rng.randint(source.count)))
        if args.crop:
            middle = scene.points[rng.randint(len(scene))]
            scene = scene.take((np.abs(scene.points - middle)[:, :2] <= args.crop / 2).all(axis=1))
        if args.sample_tail:
            scene = pasted(scene, things, rng)
        return augmented(scene, rng, args.augment)

    def made(step: int) -> Batch:
        rng = np.random.RandomState([args.seed, step])
        scenes = [one(rng) for _ in range(args.batch_size)]
        if args.mix:
            scenes = [mixed(scene, one(rng)) for scene in scenes]
        return batch_of(scenes, args.voxel, args.input, rng, device)

    return made


def loss_of(stage: str, name: str, anchors: Tensor, weights: Tensor) -> Loss:
    """Loss function of a stage; anchors (k, d): text vectors; weights (k,): of classes, for the focal loss."""

    def by_text(network: SparseUNet, batch: Batch, stream: torch.Generator) -> Tensor:
        features = network.features(batch.numbers, batch.grid)
        per_point = losses.text_loss(name, features, anchors, batch.labels, stream)
        return losses.mean_of_labeled(per_point, batch.labels)

    def by_classifier(network: SparseUNet, batch: Batch, stream: torch.Generator) -> Tensor:
        with torch.set_grad_enabled(stage != "finetune"):
            features = network.features(batch.numbers, batch.grid)
        logits = network.classify(features)
        gamma, balance = (2.0, weights) if name == "focal" else (0.0, None)
        return losses.mean_of_labeled(losses.focal_loss(logits, batch.labels, balance, gamma), batch.labels)

    return by_text if stage == "pretrain" else by_classifier


def sizes_for(network: str, given: str, width: int, outputs: int) -> SparseUNetSizes:
    base, changes = network, dict[str, Any]()
    widths = NETWORKS[base][0] if base in NETWORKS else (16, 24, 32, 48, 48, 32, 32, 0)
    if network == SMALL:
        base, changes = "MinkUNet14A", {"stem": 16, "side": 3, "last_relu": False}
    changes |= {"channels": 5 if given == "height-color" else 3, "widths": (*widths[:-1], width)}
    return sizes_of(base, **changes, outputs=outputs)


def started(sizes: SparseUNetSizes, init: Path | None, seed: int) -> SparseUNet:
    """The network with weights of our file or of an `lground` checkpoint; only `final` may have new weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = SparseUNet(sizes)
    if init is None:
        return network
    if not init.is_file():
        raise InputError(f"--init: no file {init}; expected a file of an earlier stage, or a checkpoint of lground")
    ours = init.suffix == ".safetensors"
    state = read_weights(init, Keys() if ours else Keys(inside="state_dict", prefix="model."), "--init")
    fresh = network.state_dict()
    final = {key: one for key, one in fresh.items() if key.startswith("final.")}
    fits = final and all(key in state and state[key].shape == one.shape for key, one in final.items())
    kept = {key: one for key, one in state.items() if fits or not key.startswith("final.")}
    load_strictly(network, kept if fits else kept | final, init, "--init")
    return network


def written(network: SparseUNet, row: Row, args: argparse.Namespace, place: Path, labels: str) -> list[Path]:
    """Write the weights, and a registry for `PointEncoder.from_pretrained(NAME, registry=FILE)`."""
    path = place / f"{args.stage}.safetensors"
    with replacing(path) as partial:
        save_file({key: one.contiguous().cpu() for key, one in network.state_dict().items()}, partial)
    name = f"scenes-{args.stage}"
    text = {key: value for key, value in asdict(row.text).items() if value or key == "templates"}
    parts: dict[str, dict[str, Any]] = {
        "": {"kind": "points", "architecture": "sparse-unet", "licence": "as the training data"},
        ".sizes": asdict(network.sizes),
        ".source": {"file": path.name, "sha256": sha256(path)},
        ".keys": {"inside": "", "prefix": ""},
        ".text": text,
        ".scan": {"voxel": args.voxel, "input": args.input, "labels": labels},
    }
    lines = [
        f"[{name}{part}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())
        for part, section in parts.items()
    ]
    return [path, save_whole(place / "registry.toml", "\n".join(lines).encode(), "the registry")]


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=1, steps=1)
    args.loss = args.loss or STAGES[args.stage][0]
    if args.loss not in STAGES[args.stage]:
        raise InputError(f"--loss {args.loss} is none of {args.stage}: {' or '.join(STAGES[args.stage])}")
    if args.stage == "finetune" and args.init is None:
        raise InputError("finetune needs a trained network. Expected --init FILE. Give a file of the stage train")
    if not (0.005 <= args.voxel <= 1 and args.rate > 0 and args.minutes > 0 and args.crop >= 0):
        raise InputError("expected --voxel from 0.005 to 1 (meters), --rate and --minutes above 0, --crop 0 or more")
    torch.set_num_threads(args.threads)
    device = find_device(args.device)
    row = find_checkpoint(args.text, kinds=ENCODERS)
    source = generated(args) if args.root is None else real(args)
    counts, things = surveyed(source)
    if args.sample_tail and not things:
        raise InputError(f"--sample-tail: no scan has an object of a rare class of {LEAST} points or more")
    text = TextEncoder.of(row, checkpoint=args.text_checkpoint)
    vectors = torch.from_numpy(text.encode(source.names)).to(device)
    anchors = losses.centered(vectors) if args.center else vectors
    weights = torch.tensor(np.where(counts, np.maximum(counts, 1) ** -0.5, 0.0), dtype=torch.float32, device=device)
    weights /= weights[weights > 0].mean()
    sizes = sizes_for(args.network, args.input, row.text_dim, 0 if args.stage == "pretrain" else len(source.names))
    network = started(sizes, args.init, args.seed).to(device)
    place = args.out / args.stage
    place.mkdir(parents=True, exist_ok=True)
    plan = Plan(args.steps, args.minutes, args.rate, args.optimizer, seed=args.seed, every=args.every)
    ignored = ("minutes", "out", "progress", "threads", "device")
    settings = {name: value for name, value in vars(args).items() if name not in ignored}
    settings = json.loads(json.dumps(settings, default=str))
    bar = tqdm(total=args.steps, desc=args.stage, unit="step", disable=not args.progress)

    def report_line(line: dict[str, Any]) -> None:
        bar.update(line["step"] - bar.n)
        bar.set_postfix_str(f"loss {line['loss']:.3f}, {line['voxels']:,.0f} voxels")

    loss = loss_of(args.stage, args.loss, anchors, weights)
    how: dict[str, Any] = {"folder": place, "frozen": args.stage == "finetune", "settings": settings}
    how["report"] = report_line
    log = train(network, batches(source, things, args, device), loss, plan, **how)
    bar.close()
    data = "generated rooms" if args.root is None else TABLES[args.classes]().title
    labels = f"{len(source.names)} classes of {data}"
    report = {
        "stage": args.stage,
        "settings": settings,
        "parameters": sum(one.numel() for one in network.parameters()),
        "text": row.text.space,
        "points": dict(zip(source.names, counts.tolist(), strict=True)),
        "rare_things": len(things),
        "steps": log[-1]["step"],
        "log": log,
    }
    files = [*written(network, row, args, place, labels), write_json(place / f"{args.stage}.json", report)]
    if log[-1]["step"] < args.steps:
        print(f"stopped at step {log[-1]['step']} of {args.steps}; the same command resumes")
    print(f"first loss {log[0]['loss']:.3f}, last loss {log[-1]['loss']:.3f}", *files, sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    shared = ("text_checkpoint", "seed", "device", "threads")
    parser = options.parser("train_scenes", "training of a point encoder in stages", *shared, batch_size=2)
    parser.set_defaults(out=Path("results/train-scenes"))
    parser.add_argument("stage", choices=tuple(STAGES))
    parser.add_argument("--data-root", dest="root", type=Path, help="ScanNet's scans; without it, generated rooms")
    parser.add_argument("--classes", choices=tuple(TABLES), default="scannet200", help="(default: %(default)s)")
    parser.add_argument("--rooms", type=int, default=20, help="generated rooms (default: %(default)s)")
    parser.add_argument("--init", type=Path, help="initial weights: a file of an earlier stage, or of lground")
    words = "(default: softmax in pretrain, cross_entropy in train and finetune)"
    parser.add_argument("--loss", choices=("focal", "cross_entropy", "softmax", "hinge"), help=words)
    parser.add_argument("--text", default="tiny", help="checkpoint of the text encoder (default: tiny)")
    words = "do not center the text vectors"
    parser.add_argument("--no-center", dest="center", action="store_false", help=words)
    parser.add_argument("--network", choices=(SMALL, *NETWORKS), default=SMALL, help="(default: %(default)s)")
    parser.add_argument("--voxel", type=float, default=0.05, help="meters (default: %(default)s)")
    parser.add_argument("--input", choices=INPUTS, default="color", help="(default: %(default)s)")
    parser.add_argument("--crop", type=float, default=0.0, help="meters; train on squares of this side; 0: whole scans")
    words = "augmentations (default: all; without a value: none)"
    parser.add_argument("--augment", nargs="*", choices=AUGMENTATIONS, default=list(AUGMENTATIONS), help=words)
    parser.add_argument("--sample-tail", action="store_true", help="paste objects of rare classes")
    parser.add_argument("--mix", action="store_true", help="mix two scans (Mix3D)")
    parser.add_argument("--optimizer", choices=("adamw", "sgd"), default="adamw", help="(default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=4e-3, help="learning rate; paper: 0.05 with sgd (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=1000, help="steps of the schedule (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop this run after so many minutes")
    parser.add_argument("--every", type=int, default=10, help="steps between two log lines (default: %(default)s)")
    args = parser.parse_args(argv)
    kept = f"; the state is in {args.out / args.stage / STATE}, and the same command resumes"
    return options.finish(lambda: run(args), kept=kept)
