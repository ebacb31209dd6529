"""Compare the objects in a data folder with the published counts, without reading clouds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.tables import Table
from benchmarks.threedos.data import corrupted_support, index_sets, modelnet, scanobjectnn, shapenet
from benchmarks.threedos.splits import ObjectClass, Split, load_split, split_names, tables
from openshape_ood.errors import ShapeFileError

MOST_NAMED = 3  # missing files or folders listed by name
DOWNLOAD = "python -m benchmarks data download"

Counts = Mapping[str, Mapping[str, int]]


def published_counts(name: str) -> dict[str, int]:
    """Part -> published number of objects; parts without a published count are absent."""
    return {part: count for part, count in tables("data/counts.toml").get(name, {}).items() if isinstance(count, int)}


def published_class_counts(name: str) -> dict[str, dict[str, int]]:
    """Part -> class title -> published number of objects."""
    return tables("data/counts.toml").get(name, {}).get("classes", {})


def differences(name: str, counts: Counts) -> list[str]:
    """Differences from the published counts: "known, bookshelf: 266 found, 267 published"."""
    rows = [(part, sum(counts[part].values()), count) for part, count in published_counts(name).items()]
    for part, classes in published_class_counts(name).items():
        rows += [(f"{part}, {title}", counts[part].get(title, 0), count) for title, count in classes.items()]
    return [f"{what}: {found:,} found, {count:,} published" for what, found, count in rows if found != count]


@dataclass(frozen=True)
class Checked:
    """Result for one benchmark. counts: part -> class title -> objects; None if the files cannot be read."""

    split: Split
    counts: Counts | None = None
    problem: str = ""  # reason why the benchmark cannot run, or ""
    differs: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()  # classes without objects in a part that needs them

    @property
    def complete(self) -> bool:
        return not (self.problem or self.differs or self.absent)

    @property
    def verdict(self) -> str:
        if self.problem:
            return f"cannot run: {self.problem}"
        reasons = [f"nothing of {', '.join(self.absent)}"] if self.absent else []
        if self.differs:
            counts = f"{len(self.differs)} counts are" if len(self.differs) > 1 else "1 count is"
            reasons.append(f"{counts} not as published")
        return f"differs: {'; '.join(reasons)}" if reasons else "complete"


def check_benchmark(split: Split, root: Path) -> Checked:
    """Check one benchmark in `root`; missing and damaged files are reported, not raised."""
    if missing := _missing(split, root):
        return Checked(split, problem=_listed(missing))
    try:
        sets, _ = index_sets(split, root, progress=False)
    except ShapeFileError as error:
        return Checked(split, problem=str(error))
    counts = {part: objects.counts() for part, objects in sets.items()}
    absent = {part: {c.title for c in _classes(split, part)} - counts[part].keys() for part in counts}
    known = absent["support"] | absent["known"]
    problem = "no known class has both support and test objects" if len(known) == len(split.known) else ""
    if not problem and not counts["novel1"] and not counts["novel2"]:
        problem = "no novel class has a test object"
    lacking = known | absent["novel1"] | absent["novel2"]
    titles = tuple(c.title for c in split.classes if c.title in lacking)
    return Checked(split, counts, problem, tuple(differences(split.name, counts)), titles)


def _classes(split: Split, part: str) -> tuple[ObjectClass, ...]:
    return {"novel1": split.novel1, "novel2": split.novel2}.get(part, split.known)


def _missing(split: Split, root: Path) -> list[str]:
    """Required files that are missing in `root`; a missing folder is listed once, without its files."""
    if split.track == "synthetic":
        return _first_missing(root, [path for part in shapenet.PARTS for path in shapenet.paths_of(root, part)])
    wanted = [scanobjectnn.path_of(root, part) for part in scanobjectnn.PARTS]
    if split.track == "synthetic to real" and not modelnet.is_there(root, split, "train"):
        wanted.append(modelnet.listing(root, "train"))
    return _first_missing(root, wanted)


def _first_missing(root: Path, paths: Iterable[Path]) -> list[str]:
    """Missing paths relative to `root`; a missing top folder is listed once, without its files."""
    missing = [path.relative_to(root) for path in paths if not path.is_file()]
    return list(dict.fromkeys(str(p) if (root / p.parts[0]).is_dir() else f"{p.parts[0]}/" for p in missing))


def check(root: Path, quiet: bool = False) -> tuple[list[str], bool]:
    """Lines to print, and True if all data exist with the published counts. quiet: one line per benchmark.

    The corrupted copies of ModelNet40 are required. The cache files of 3DOS are optional, because the
    text files have the same clouds.
    """
    if not root.is_dir():
        return [f"no folder {root}; to fetch the data: {DOWNLOAD}"], False
    splits = [load_split(name) for name in modelnet.SETS]
    caches = [modelnet.original_cache(root, s, part) for s in splits for part in modelnet.PARTS]
    there = [path.name for path in caches if path and path.is_file()]
    copies = _copies(root, splits)
    more = _first_missing(root, [path for three in shapenet.corrupted_paths(root) for path in three])
    lines = [
        f"{root}",
        f"  {modelnet.CACHES}: {', '.join(there) or 'none; the text files are read instead'}",
        f"  {modelnet.CORRUPTED}: {copies or 'there'}",
        f"  {shapenet.FOLDER}/{shapenet.CORRUPTED}: {_listed(more) or 'there'}",
    ]
    complete = not copies
    for checked in (check_benchmark(load_split(name), root) for name in split_names()):
        complete &= checked.complete
        if not quiet:
            lines += ["", f"{checked.split.title} ({checked.split.name})", *_table(checked)]
        lines.append(f"{checked.split.name}: {checked.verdict}")
    return lines, complete


def _table(checked: Checked) -> list[str]:
    """Table of found and published counts: one row per part, and one per class of the part."""
    if checked.counts is None:
        return []
    totals, classes = published_counts(checked.split.name), published_class_counts(checked.split.name)
    rows = []
    for part, found in checked.counts.items():
        titles = [c.title for c in _classes(checked.split, part)]
        rows += [_row(part, "", sum(found.values()), totals.get(part))] if titles else []
        rows += [_row("", title, found.get(title, 0), classes.get(part, {}).get(title)) for title in titles]
    return Table(("part", "class", "found", "published", ""), tuple(rows), words=2, remarks=True).text().splitlines()


def _row(part: str, title: str, found: int, published: int | None) -> tuple[str, ...]:
    shown = "-" if published is None else f"{published:,}"
    return part, title, f"{found:,}", shown, "" if published in (None, found) else "differs"


def _copies(root: Path, splits: Iterable[Split]) -> str:
    """Problem with the corrupted copies of ModelNet40; "" if all can be read."""
    try:
        missing = _first_missing(root, [path for split in splits for path in modelnet.corrupted_paths(root, split)])
        if not missing:
            for split in splits:
                corrupted_support(split, root)
        return _listed(missing)
    except ShapeFileError as error:
        return str(error)


def _listed(missing: list[str]) -> str:
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    return f"{', '.join(missing[:MOST_NAMED])}{more} missing; to fetch what is missing: {DOWNLOAD}" if missing else ""
