"""Names that `small` is trained with, and their vectors in two text spaces.

CLIP: ViT-B/32 features of the names of Open Images, Objects365 and LVIS. They are in a folder with
`oid_clip_a+cname.npy`, `o365_clip_a+cnamefix.npy`, `Objects365_names_fix.csv`, `lvis_v1_clip_a+cname.npy` and
`lvis_v1_train_cat_info.json`, from datasets/metadata of github.com/facebookresearch/Detic. Vectors are normalized,
centered and normalized again, because CLIP's names have a mean cosine of about 0.8. Static: the text encoder of `tiny`,
which encodes any word.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.object_pack import ObjectPack
from openshape_ood.encoders.text.encoder import TextEncoder
from openshape_ood.synthetic import synonyms

# the 500 classes of the Open Images Challenge in the order of its features, one per line; a line is blank if its name
# is uncertain. The 323 names that are also in another list agree with its features.
OPEN_IMAGES = Path(__file__).with_name("openimages.txt")
# our name -> spelling in the CLIP table, or the nearest name that the table has
SPELLED = {
    "keyboard": "computer keyboard",
    "night stand": "nightstand",
    "bin": "trash can",
    "drill": "power drill",
    "sink": "sink",
    "cone": "traffic cone",
    "tablet": "tablet computer",
    "bag": "handbag",
    "plant": "houseplant",
    "monitor": "computer monitor",
    "bookshelf": "bookcase",
    "rug": "carpet",
    "kitchen counter": "countertop",
    "game controller": "joystick",
    "couch": "sofa",
    "tv stand": "cabinet/shelf",
    "sign": "street sign",
    "crystal": "precious stone",
    "tape roll": "tape",
    "computer": "computer box",
    "tea set": "teapot",
    "meat": "steak",
    "counter": "countertop",
    "arrow": "bow and arrow",
    "crossbow": "bow and arrow",
}


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Table:
    """Centered unit vectors (n, 512) of entries, word -> entry, and the subtracted mean (512,)."""

    vectors: np.ndarray
    words: Mapping[str, int]
    mean: np.ndarray

    def find(self, word: str) -> int | None:
        """Entry of a word, of another spelling of it, of its singular or of its plural; None if there is none."""
        plain = word.casefold()
        spellings = [
            SPELLED.get(plain, plain),
            plain,
            plain.replace(" ", ""),
            re.sub("(s|es)$", "", plain),
            plain + "s",
        ]
        return next((self.words[one] for one in spellings if one in self.words), None)


@cache
def read_table(folder: Path) -> Table:
    """Read the vectors of Open Images, Objects365 and LVIS.

    If a name occurs twice, the first entry is used; synonyms come last. LVIS is the last list, because its features are
    of names with underscores.
    """
    lvis = json.loads((folder / "lvis_v1_train_cat_info.json").read_text(encoding="utf-8"))
    with (folder / "Objects365_names_fix.csv").open(newline="", encoding="utf-8") as file:
        others = [row[2] for row in csv.reader(file)]
    files = ("oid_clip_a+cname.npy", "o365_clip_a+cnamefix.npy", "lvis_v1_clip_a+cname.npy")
    raw = [np.load(folder / name, allow_pickle=False) for name in files]
    rows = unit(np.concatenate(raw).astype(np.float64))
    mean = rows.mean(axis=0)
    words: dict[str, int] = {}
    lvis = sorted(lvis, key=lambda one: one["id"])
    names = [*OPEN_IMAGES.read_text(encoding="utf-8").splitlines(), *others, *(one["name"] for one in lvis)]
    if len(names) != len(rows):
        raise ValueError(f"{folder}: {len(names)} names and {len(rows)} features; expected one each")
    for i, name in enumerate(names):
        if name:
            words.setdefault(_plain(name), i)
    for i, one in enumerate(lvis, start=len(names) - len(lvis)):
        for name in one["synonyms"]:
            words.setdefault(_plain(name), i)
    return Table(unit(rows - mean), words, mean)


def _plain(name: str) -> str:
    bare = re.sub(r"_?\(.*\)", "", name).replace("_", " ")
    return " ".join(bare.split()).casefold()


@dataclass(frozen=True, eq=False)
class Targets:
    """Training targets of s classes over w words.

    vectors: (w, d) of words; weights (s, w): of the words that name a class; others (s, w): mask of words that are
    negatives of a class. A word that names a kind of the class is no negative.
    """

    vectors: np.ndarray
    weights: np.ndarray
    others: np.ndarray


def class_words(categories: Sequence[str], pack: ObjectPack | None) -> list[tuple[str, ...]]:
    """Words of every class, the main word first: generated categories, then the pack's names, sorted."""
    generated = [(c, *synonyms(c)) for c in categories]
    if pack is None:
        return generated
    of = dict(zip(pack.names.tolist(), pack.classes.tolist(), strict=True))
    return generated + [tuple(dict.fromkeys((name, of[name]))) for name in sorted(of)]


def targets(words: Sequence[Sequence[str]], entry_of: Mapping[str, int], rows: np.ndarray) -> Targets:
    """Targets of classes; entry_of: word -> index of `rows`. A class without such a word has no weight."""
    entries = sorted({entry_of[w] for ws in words for w in ws if w in entry_of})
    place = {entry: i for i, entry in enumerate(entries)}
    weights = np.zeros((len(words), len(entries)), dtype=np.float32)
    main = []
    for i, ws in enumerate(words):
        columns = list(dict.fromkeys(place[entry_of[w]] for w in ws if w in entry_of))
        main.append(columns[0] if columns else -1)
        if columns:
            weights[i, columns] = 0.5 / len(columns)
            weights[i, columns[0]] += 1.0
    named = weights > 0
    kinds = np.zeros_like(named)
    for i, first in enumerate(main):
        if first >= 0:
            kinds[i] = named[named[:, first]].any(axis=0)
    return Targets(rows[entries].astype(np.float32), weights, ~(named | kinds))


def clip_targets(words: Sequence[Sequence[str]], table: Table) -> Targets:
    entry_of = {w: table.find(w) for w in _all(words)}
    return targets(words, {w: i for w, i in entry_of.items() if i is not None}, table.vectors)


def static_targets(words: Sequence[Sequence[str]], text: TextEncoder) -> Targets:
    every = list({w.casefold(): w for w in _all(words)}.values())
    places = {w.casefold(): i for i, w in enumerate(every)}
    return targets(words, {w: places[w.casefold()] for w in _all(words)}, text.encode(every))


def _all(words: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(w for ws in words for w in ws))
