"""The figures of tiny's model card, on shapes outside every training, as Markdown tables and as JSON.

python -m benchmarks.training.evaluate_tiny --left-out sr1=sr1.safetensors sr2=sr2.safetensors --real DIR
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report.output import write_json
from benchmarks.report.tables import Table
from benchmarks.threedos import generated
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.protocol import Run
from benchmarks.threedos.recipes import SEEDS, openshape
from benchmarks.threedos.record import result_json
from benchmarks.threedos.splits import load_split
from benchmarks.training import real
from benchmarks.training.train_tiny import initial_network
from benchmarks.training.vocabulary import UNSEEN, trained_categories
from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.scoring import default_method, judge
from openshape_ood.synthetic import sample, scan, synonyms

FEW = 5
EXAMPLES = 60  # examples per category; each draw takes `FEW` of them
DRAWS = 200
QUERIES = 120
FIRST_FEW_SEED, FIRST_QUERY_SEED = 9_000_000, 9_100_000


def untrained(name: str = "tiny") -> ShapeEncoder:
    row = find_checkpoint(name)
    return ShapeEncoder(row, initial_network(row, seed=0), "untrained", torch.device("cpu"))


def check_left_out(name: str, path: str) -> tuple[str, str]:
    """Check that a network was not trained on the novel classes of a benchmark; returns the arguments."""
    from safetensors import safe_open

    if name not in ("sr1", "sr2") or not Path(path).is_file():
        raise SystemExit(f"error: --left-out {name}={path}; expected sr1=FILE or sr2=FILE")
    with safe_open(path, framework="numpy") as file:
        trained = json.loads(file.metadata()["training"])["categories"]
    seen = sorted(set(trained) & set(load_split(name).novel_categories))
    if seen:
        raise SystemExit(f"{path} was trained with {', '.join(seen)}, which are novel in {name}")
    return name, path


def benchmark(name: str, encoder: ShapeEncoder, text: TextEncoder, args: argparse.Namespace) -> list[dict[str, Any]]:
    data = generated.load(load_split(name), args.per_class, args.data_seed)
    embedder = Embedder(encoder, None, args.batch_size, workers=1, progress=False)
    settings = openshape(encoder.row)
    run = Run(load_split(name), data, embedder, lambda templates: text, SEEDS, draws=1000)
    return [result_json(result, settings) for result in run.results(settings)]


def nearest(queries: np.ndarray, known: KnownClasses) -> np.ndarray:
    """Class (b,) with the largest cosine to its name or to the mean of its examples."""
    return judge(queries, known, default_method(known)).nearest


def accuracy(queries: np.ndarray, labels: np.ndarray, known: KnownClasses) -> float:
    return float(np.mean(nearest(queries, known) == labels))


def never_trained(encoder: ShapeEncoder, text: TextEncoder, severity: float) -> dict[str, float]:
    """Accuracy among the untrained categories, by name and by five clean examples.

    The choice of the five examples matters more than most changes to an encoder. Their accuracy is therefore the mean
    over many draws, with standard deviation.
    """
    clouds = [scan(c, 2048, FIRST_QUERY_SEED + i, severity=severity) for c in UNSEEN for i in range(QUERIES)]
    labels = np.repeat(np.arange(len(UNSEEN)), QUERIES)
    queries = encoder.encode(clouds, up="y")
    shown = [sample(c, 2048, FIRST_FEW_SEED + i) for c in UNSEEN for i in range(EXAMPLES)]
    examples = dict(zip(UNSEEN, np.split(encoder.encode(shown, up="y"), len(UNSEEN)), strict=True))
    few = list[float]()
    for draw in range(DRAWS):
        rng = np.random.RandomState(draw)
        drawn = {c: rows[rng.permutation(EXAMPLES)[:FEW]] for c, rows in examples.items()}
        few.append(accuracy(queries, labels, KnownClasses.from_examples(drawn, encoder)))
    by_name = accuracy(queries, labels, KnownClasses.from_names(UNSEEN, text))
    return {"by_name": by_name, "by_five_examples": float(np.mean(few)), "over_draws": float(np.std(few))}


def steadiness(encoder: ShapeEncoder) -> dict[str, float]:
    """Cosine between embeddings of the same shapes, one per category, under two sampling seeds."""
    clouds = [sample(c, 2048, FIRST_QUERY_SEED) for c in trained_categories()]
    cosines = (encoder.encode(clouds, up="y", seed=0) * encoder.encode(clouds, up="y", seed=1)).sum(axis=1)
    return {"mean": float(cosines.mean()), "least": float(cosines.min())}


def unwarned(text: TextEncoder) -> float:
    """Fraction of the names of untrained categories that give no warning."""
    silent = []
    for name in (name for c in UNSEEN for name in (c, *synonyms(c))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            text.encode([name])
        silent.append(not caught)
    return float(np.mean(silent))


def markdown(content: dict[str, Any]) -> str:
    rows = []
    for name, network, r in ((b, n, r) for b in ("sr1", "sr2") for n, results in content[b].items() for r in results):
        figures = (r["accuracy"], r["both"]["auroc"], r["both"]["fpr95"])
        rows.append((name.upper(), network, r["known_by"], *(f"{100 * figure['mean']:.1f}" for figure in figures)))
    blocks = [Table(("benchmark", "network", "known by", "accuracy", "AUROC", "FPR95"), tuple(rows), 3).markdown()]
    never = content["never_trained"].items()
    kinds = tuple(
        (kind, f"{100 * r['by_name']:.1f}", f"{100 * r['by_five_examples']:.1f} ± {100 * r['over_draws']:.1f}")
        for kind, r in never
    )
    head = (f"never trained, {len(UNSEEN)} categories", "by name", "by five examples")
    seeds = content["two_seeds"]
    blocks += [
        Table(head, kinds).markdown(),
        f"Cosine of one shape's embeddings under two seeds: {seeds['mean']:.2f} on average, {seeds['least']:.2f} at "
        f"least. Names of the untrained categories without a warning: {100 * content['unwarned']:.0f} %.",
    ]
    if "zero_shot" in content:
        z, of_3dos = content["zero_shot"], content["zero_shot"]["benchmark"]
        blocks += [
            f"Zero-shot on real shapes: {100 * z['accuracy']:.1f} % of {z['shapes']}, among {z['classes']} names; "
            f"{100 * of_3dos['accuracy']:.1f} % of {of_3dos['shapes']} among the {of_3dos['classes']} classes of 3DOS; "
            f"AUROC with half of the names known, {real.DRAWS} draws: {100 * z['auroc']:.1f}. Simulated scans of "
            f"the meshes ({z['scans']}): {100 * z['scans_accuracy']:.1f} % and {100 * z['scans_auroc']:.1f}.",
            Table(("file", "is", "found"), tuple((r["file"], r["is"], r["found"]) for r in z["each"]), 3).markdown(),
        ]
    return "\n\n".join(blocks)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.evaluate_tiny", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--checkpoint", type=Path, help="weights to evaluate instead of the packaged ones")
    parser.add_argument(
        "--left-out", nargs="*", default=[], metavar="NAME=FILE", help="networks trained with --leave-out NAME"
    )
    parser.add_argument("--real", type=Path, help="folder with the real shapes of benchmarks/training/real.toml")
    parser.add_argument("--per-class", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--data-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/tiny.json"))
    args = parser.parse_args()
    text = TextEncoder.from_pretrained("tiny")
    shipped = ShapeEncoder.from_pretrained("tiny", checkpoint=args.checkpoint, device="cpu")
    content: dict[str, Any] = {"checkpoint_sha256": shipped.identity.sha256, "per_class": args.per_class}
    left_out = dict(check_left_out(*pair.partition("=")[::2]) for pair in args.left_out)
    for name in ("sr1", "sr2"):
        networks = {"trained": shipped, "untrained": untrained()}
        if name in left_out:
            encoder = ShapeEncoder.from_pretrained("tiny", checkpoint=left_out[name], device="cpu")
            networks["novel classes left out"] = encoder
        content[name] = {label: benchmark(name, network, text, args) for label, network in networks.items()}
    content["never_trained"] = {
        f"{label}, {kind}": never_trained(network, text, severity)
        for label, network in (("trained", shipped), ("untrained", untrained()))
        for kind, severity in (("mild scans", 0.2), ("hard scans", generated.SEVERITY))
    }
    content["two_seeds"], content["unwarned"] = steadiness(shipped), unwarned(text)
    if args.real:
        content["zero_shot"] = real.figures(args.real, shipped, text)
    write_json(args.out, content)
    print(markdown(content))


if __name__ == "__main__":
    main()
