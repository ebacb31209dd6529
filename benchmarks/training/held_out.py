"""Comparison of trainings of `tiny` on held-out variants: networks of `train_tiny --hold-out` with several seeds.

    python -m benchmarks.training.held_out a.safetensors b.safetensors --real DIR

One column per network, and their mean. Rows are hard scans of shown and of held-out variants, untrained
categories by five examples, and real shapes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.report.output import write_json
from benchmarks.report.tables import Table
from benchmarks.threedos import generated
from benchmarks.training import real
from benchmarks.training.evaluate_tiny import never_trained
from benchmarks.training.vocabulary import held_out, trained_categories
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.synthetic import generate, scan, variants

QUERIES, FIRST = 6, 9_200_000  # scans per variant, and the first seed


def shown(category: str) -> list[str]:
    """As many trained variants as there are held-out ones."""
    others = [v for v in variants(category) if v not in held_out(category)]
    return others[: len(held_out(category))]


def of_variants(chosen: Callable[[str], list[str]], encoder: ShapeEncoder, text: TextEncoder) -> dict[str, float]:
    """Accuracy among the trained categories, and AUROC with half of them known, on hard scans of some variants."""
    pairs = [(c, v) for c in trained_categories() for v in chosen(c)]
    meshes = [generate(c, FIRST + i, v) for c, v in pairs for i in range(QUERIES)]
    clouds = [scan(mesh, 2048, FIRST + i, severity=generated.SEVERITY) for i, mesh in enumerate(meshes)]
    labels = np.repeat([c for c, _ in pairs], QUERIES)
    queries = encoder.encode(clouds, up="y")
    right = real.nearest_names(queries, trained_categories(), text) == labels
    return {"accuracy": float(right.mean()), "AUROC": real.half_known(queries, labels, text)}


def figures(path: Path, text: TextEncoder, folder: Path | None) -> dict[str, float]:
    encoder = ShapeEncoder.from_pretrained("tiny", checkpoint=path, device="cpu")
    rows = {
        f"{kind} variants, {what}": value
        for kind, chosen in (("shown", shown), ("held-out", held_out))
        for what, value in of_variants(chosen, encoder, text).items()
    }
    rows["never trained, by five examples"] = never_trained(encoder, text, generated.SEVERITY)["by_five_examples"]
    if folder:
        of_real, keys = real.figures(folder, encoder, text), {"accuracy": "accuracy", "AUROC": "auroc"}
        rows |= {f"real shapes, {what}": of_real[key] for what, key in keys.items()}
        rows |= {f"scans of real meshes, {what}": of_real[f"scans_{key}"] for what, key in keys.items()}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.held_out", description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="+", type=Path, help="files of train_tiny --hold-out")
    parser.add_argument("--real", type=Path, help="folder with the real shapes of benchmarks/training/real.toml")
    parser.add_argument("--out", type=Path, default=Path("results/tiny-held-out.json"))
    args = parser.parse_args()
    text = TextEncoder.from_pretrained("tiny")
    measured = {path.name: figures(path, text, args.real) for path in args.networks}
    write_json(args.out, measured)
    columns = list(measured.values())
    rows = tuple(
        (what, *(f"{100 * c[what]:.1f}" for c in columns), f"{100 * np.mean([c[what] for c in columns]):.1f}")
        for what in columns[0]
    )
    print(Table(("hard scans, per cent", *measured, "mean"), rows).markdown())


if __name__ == "__main__":
    main()
