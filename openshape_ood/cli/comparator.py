"""openshape-ood comparator: train on stored embeddings, show a comparator, or convert the one of ReSeND."""

from __future__ import annotations

import json as json_files
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import print_line, print_note, shown, write
from openshape_ood.cli.options import ENCODER, KNOWN, RESULT, argument, option
from openshape_ood.cli.outputs import check_out
from openshape_ood.errors import FileError, InputError

if TYPE_CHECKING:
    from openshape_ood.comparison import Comparator
    from openshape_ood.comparison.training import Progress, Report
    from openshape_ood.known import KnownClasses

TRAINING = "Training (--family relation)"
FILE, ROW = "comparator.safetensors", "registry.toml"
LINES = 10  # number of progress notes per training

EXAMPLES = """
  openshape-ood embed lvis/ --out lvis.safetensors --model vitb32
  openshape-ood comparator fit --embeddings lvis.safetensors --labels folder --exclude names.txt --out mine/
  OPENSHAPE_OOD_CHECKPOINTS=mine/registry.toml openshape-ood score scans/ --examples examples/ --method comparator
"""

app = options.group(
    "comparator",
    "Learned comparators. A comparator is trained once, on pairs of shapes of base classes. For other classes, it then "
    "decides whether two shapes belong to the same class.",
    EXAMPLES,
)


@options.command(app, "fit")
def fit(
    *,
    embeddings: Annotated[
        list[Path],
        option(
            KNOWN,
            "Stored embeddings of the base shapes, from `embed`. Give several files to train "
            "with additional scans or random seeds.",
            "STORE...",
        ),
    ],
    out: Annotated[
        Path, option(RESULT, "Output folder. The same command resumes a stopped training.", "DIR", "--out", "-o")
    ],
    labels: Annotated[
        str,
        option(
            KNOWN,
            "Class of each embedding. folder: the first folder of its id. FILE: a .json file with {id: class}.",
            "folder|FILE",
        ),
    ] = "folder",
    exclude: Annotated[
        Path | None,
        option(
            KNOWN,
            "Text file with the evaluation classes, one name a line. These classes, their synonyms and their "
            "subclasses are removed from the base classes.",
            "FILE",
        ),
    ] = None,
    names: Annotated[
        bool, option(KNOWN, "Also train with the names of the base classes.", None, "--with-names")
    ] = False,
    family: Annotated[
        Literal["relation", "whitened", "plda", "metric", "cosine"],
        option(RESULT, "Kind of similarity. The training of relation takes minutes, all others take seconds."),
    ] = "relation",
    steps: Annotated[
        int, option(TRAINING, "Number of training steps. More steps may give a worse comparator.", min=1)
    ] = 400,
    loss: Annotated[Literal["tanh", "cross_entropy"], option(TRAINING, "Loss function.")] = "tanh",
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Train a comparator on stored embeddings of labeled shapes.

    Writes DIR/comparator.safetensors, and DIR/registry.toml for `--method comparator`. If the training collapses (equal
    results for all pairs), an error is printed and no comparator is written.
    """
    from openshape_ood.comparison.training import CollapseWarning, Recipe, fit_comparator
    from openshape_ood.storage import make_folder

    base, left_out = _base(embeddings, labels, exclude)
    if names:
        base = _with_names(base)
    out = make_folder(out)
    how: dict[str, Any] = {}
    if family == "relation":
        how = {"recipe": Recipe(steps=steps, loss=loss, seed=seed), "folder": out, "report": reporter(steps)}
    for name, other in left_out.items():
        print_note(f"excluded: {shown(name)}, because it overlaps with {shown(other)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # `reporter` prints this warning
        made = fit_comparator(base, family, evaluation=_lines(exclude), **how)
    if made.card.get("collapsed"):
        raise InputError(
            "the training has collapsed: the network gives the same result for all pairs. Expected a network that "
            f"separates classes; {out} has only the state of the training. Follow the warning above."
        )
    record = {**_record(_save(made, out), made), "left_out": left_out}

    def show() -> None:
        _print(record)
        print_line(f"{len(left_out)} classes excluded")
        print_line(f"to use it with --method comparator: OPENSHAPE_OOD_CHECKPOINTS={shown(out / ROW)}")

    write(record, json, show)


@options.command(app, "show")
def show(
    file: Annotated[Path, argument("A file from comparator fit or Comparator.save.", "FILE")],
    /,
    *,
    json: options.Json = False,
) -> None:
    """Show the encoder and the training of a comparator."""
    from openshape_ood.comparison import Comparator

    record = _record(file, Comparator.load(file))
    write(record, json, lambda: _print(record))


@options.command(app, "convert")
def convert(
    released: Annotated[Path, argument("Unpacked folder with the published files, or the single file.", "PATH")],
    /,
    *,
    out: Annotated[Path, option(RESULT, "Output: a .safetensors file.", "FILE", "--out", "-o")],
    network: Annotated[Literal["resnet18", "resnet50"], option(ENCODER, "Network of the image features.")] = "resnet18",
) -> None:
    """Convert the published files of ReSeND to one .safetensors file, without executing code in these pickle files.

    ReSeND compares photographs. For shapes, train a comparator with `fit`.
    """
    from openshape_ood.comparison.released import convert_released

    check_out("--out", out, (".safetensors",))
    print_line(f"image encoder and comparator are in {shown(convert_released(released, out, network))}")


def _base(stores: list[Path], labels: str, exclude: Path | None) -> tuple[KnownClasses, dict[str, str]]:
    """Base classes, and the excluded classes: base class -> overlapping class of `exclude`."""
    import numpy as np

    from openshape_ood.comparison.vocabulary import overlaps
    from openshape_ood.embedding_store import known_from

    base = known_from(list(stores), "folder" if labels == "folder" else _labels(Path(labels)))
    left_out = overlaps(base.names, _lines(exclude))
    if not left_out:
        return base, {}
    kept = np.array([name not in left_out for name in base.names])[base.labeled_examples()[1]]
    if not kept.any():
        raise InputError(
            f"--exclude {exclude} removes all {len(base.names)} base classes. Expected at least one that remains. Give "
            "stores of other classes."
        )
    return base.subset(kept), left_out


def _with_names(base: KnownClasses) -> KnownClasses:
    from openshape_ood import TextEncoder

    return replace(base, text=TextEncoder.from_pretrained(base.identity.checkpoint).encode(base.names))


def _lines(path: Path | None) -> list[str]:
    from openshape_ood.cli.inputs import read_text

    lines = [] if path is None else read_text("--exclude", path).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _labels(path: Path) -> Mapping[str, str]:
    from openshape_ood.cli.inputs import read_text

    text = read_text("--labels", path)
    try:
        labels = json_files.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(
            f"--labels {path} is no JSON ({error}). Expected {{id: class}}. Correct it, or give --labels folder."
        ) from error
    if not isinstance(labels, dict) or not all(isinstance(name, str) for name in labels.values()):
        raise FileError(
            f"--labels {path} has values that are not strings. Expected {{id: class}}. Correct it, or give --labels "
            "folder."
        )
    return labels


def reporter(steps: int) -> Report:
    """Callback that prints `LINES` notes on the progress of a training, and a warning if it collapses."""
    from openshape_ood.comparison.training import collapse, is_collapsed

    every, warned = max(1, steps // LINES), list[int]()

    def report(now: Progress) -> None:
        if now.step % every == 0 or now.step == steps:
            print_note(
                f"step {now.step} of {steps}: loss {now.loss:.4f}, balanced accuracy {now.balanced_accuracy:.3f}"
            )
        if is_collapsed(now) and not warned:
            warned.append(now.step)
            print_note(f"warning: {collapse(now)}", "yellow")

    return report


def _save(made: Comparator, out: Path) -> Path:
    """Write the comparator, and a registry with its row."""
    from openshape_ood.registry.files import sha256
    from openshape_ood.storage import save_whole

    path = made.save(out / FILE)
    encoder = json_files.dumps(made.identity.checkpoint if made.identity else "")
    row = [
        f"[{json_files.dumps(f'{json_files.loads(encoder)}-{made.similarity.family}')}]",
        'kind = "comparator"',
        f"encoder = {encoder}",
        'licence = "your own"',
        f'source = {{ file = "{FILE}", sha256 = "{sha256(path)}" }}',
    ]
    save_whole(out / ROW, ("\n".join(row) + "\n").encode(), "the registry")
    return path


def _record(path: Path, made: Comparator) -> dict[str, Any]:
    return {
        "file": path,
        "method": made.name,
        "family": made.similarity.family,
        "identity": made.identity and made.identity.__dict__,
        "dim": made.similarity.dim,
        "names": made.compare.text,
        "card": dict(made.card),
    }


def _print(record: dict[str, Any]) -> None:
    card, identity = record["card"], record["identity"]
    print_line(shown(record["file"]), "bold")
    whose = f"{identity['checkpoint']} (sha256 {identity['sha256'][:8]})" if identity else "any encoder"
    print_line(f"{record['method']}: {record['family']}, for embeddings of {shown(whose)}")
    if "classes" in card:
        some = ", ".join(card["classes"][:12]) + ", …" * (len(card["classes"]) > 12)
        count = f" of {card['embeddings']} embeddings" if "embeddings" in card else ""
        print_line(f"{len(card['classes'])} base classes{count}: {shown(some)}")
    if card.get("history"):
        last = card["history"][-1]
        print_line(f"balanced accuracy on base pairs {last['balanced_accuracy']:.3f}, loss {last['loss']:.4f}")
