"""openshape-ood known: save, join and show files of known classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from openshape_ood.cli import options
from openshape_ood.cli.console import failed_json, finish, print_line, print_note, print_table, shown, write
from openshape_ood.cli.known_options import OneAxisOptions
from openshape_ood.cli.marks import MarksOptions, marks_of
from openshape_ood.cli.options import KNOWN, RESULT, argument, option
from openshape_ood.cli.outputs import check_out
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.console import Failure
    from openshape_ood.known import KnownClasses

SUFFIXES = (".safetensors",)

EXAMPLES = """
  openshape-ood known save --examples examples/ --calibrate held_out/ --patches --model tiny --out known.safetensors
  openshape-ood known save --known chair sofa table --model tiny --out names.safetensors
  openshape-ood known join chairs.safetensors lamps.safetensors --out both.safetensors
  openshape-ood known show known.safetensors

tiny works offline.
"""

app = options.group(
    "known", "Save, join and show files of known classes. Other commands read them with --known-file.", EXAMPLES
)

Out = Annotated[Path, option(RESULT, "Output: a .safetensors file.", "FILE", "--out", "-o")]
Saved = Annotated[list[Path], argument("Files from known save or KnownClasses.save (.safetensors).", "FILE...")]


@options.command(app, "save")
def save(
    *,
    out: Out,
    chosen: OneAxisOptions = OneAxisOptions(),
    marks: MarksOptions = MarksOptions(),
    patches: Annotated[
        bool, option(KNOWN, "Also save the examples' patches: the memory bank of `localize`.", None, "--patches")
    ] = False,
    json: options.Json = False,
) -> None:
    """Save known classes in a file: names, examples, patches of the examples and, if requested, a threshold.

    A saved threshold is valid for one method. Commands that read the file with --known-file then give verdicts. With
    --false-points or --false-regions, a point threshold for `localize` is saved too. --known-file adds the classes of
    an earlier file.
    """
    from openshape_ood.cli.axes import warn_of_axes
    from openshape_ood.cli.inputs import Inputs

    check_out("--out", out, SUFFIXES)
    examples = [file for files in chosen.wanted.with_files.values() for file in files]
    if patches and not examples:
        raise InputError("--patches was given without example files. Expected example shapes. Give --examples FOLDER.")
    marks.check(chosen.calibrate)
    if marks.requested and not (patches or chosen.known_file):
        raise InputError(
            "--false-points or --false-regions was given without patches. Expected patches, because the threshold is "
            "for maps of patches. Give --patches."
        )
    inputs, decide = Inputs(), bool(chosen.calibrate or chosen.threshold or chosen.coverage)
    pipeline = chosen.pipeline(inputs, patches="local" if patches else None, decide=decide)
    warn_of_axes(examples, chosen.known_up or chosen.up)
    known, threshold = pipeline.known, pipeline.threshold
    if chosen.known and known.text is None:
        print_note("note: only examples are saved; to save names too, give --method rank_fusion", "yellow")
    known = known if threshold is None else known.with_threshold(threshold)
    of_maps = marks_of(marks, pipeline, chosen.calibrate, chosen.calibrate_by, inputs.failures)
    _write_saved(known if of_maps is None else known.with_marks(of_maps), out, json, inputs.failures)


@options.command(app, "join")
def join(files: Saved, /, *, out: Out, json: options.Json = False) -> None:
    """Join files of known classes of one encoder. All files must have the same kind of data: examples, names, or both.

    The joined file has no threshold, because a threshold belongs to one set of classes. `known save --known-file FILE
    --calibrate PATHS` adds one.
    """
    from openshape_ood.known import KnownClasses

    check_out("--out", out, SUFFIXES)
    _write_saved(KnownClasses.join(*map(KnownClasses.load, files)), out, json)


@options.command(app, "show")
def show(files: Saved, /, *, json: options.Json = False) -> None:
    """Show the contents of files of known classes."""
    from openshape_ood.known import KnownClasses

    loaded = [(path, KnownClasses.load(path)) for path in files]
    record = {"files": [_record(path, known) for path, known in loaded]}

    def show_all() -> None:
        for one in loaded:
            _print(*one)

    write(record, json, show_all)


def _write_saved(known: KnownClasses, out: Path, json: bool, failures: Sequence[Failure] = ()) -> None:
    path = known.save(out)
    write({**_record(path, known), "failed": failed_json(failures)}, json, lambda: _print(path, known))
    finish(failures)


def _record(path: Path, known: KnownClasses) -> dict[str, Any]:
    import numpy as np

    k, memory = len(known.names), known.patches
    examples = [0] * k if known.labels is None else np.bincount(known.labels, minlength=k).tolist()
    patches = [0] * k if memory is None else np.bincount(memory.labels, minlength=k).tolist()
    columns = zip(known.names, examples, patches, strict=True)
    return {
        "file": path,
        "identity": known.identity.__dict__,
        "dim": known.dim,
        "text": known.text is not None,
        "patches": memory and memory.stage,
        "threshold": known.threshold and {**known.threshold.as_json(), "method": _method(known)},
        "marks": known.marks and known.marks.as_json(),
        "classes": [{"name": name, "examples": m, "patches": p} for name, m, p in columns],
    }


def _method(known: KnownClasses) -> str | None:
    made = known.threshold and known.threshold.provenance
    return made.method if made else None


def _print(path: Path, known: KnownClasses) -> None:
    from openshape_ood.cli.thresholds import words

    record = _record(path, known)
    print_line(shown(path), "bold")
    rows = [{"class": one["name"], **one, "name": "yes" if record["text"] else "no"} for one in record["classes"]]
    print_table(rows, ("class", "name", "examples", "patches"), fold="class")
    stage = f", patches {record['patches']}" if record["patches"] else ""
    classes = "1 class" if len(rows) == 1 else f"{len(rows)} classes"
    print_line(f"{classes} of {shown(known.identity)}, {record['dim']} numbers each{stage}")
    if known.threshold is None:
        print_line("no threshold; to add one: openshape-ood known save --known-file FILE --calibrate PATHS --out FILE")
    else:
        print_line(f"{words(known.threshold)}{f' by {_method(known)}' if _method(known) else ''}")
    if known.marks is not None:
        print_line(f"for points of maps: {shown(known.marks.describe())}")
