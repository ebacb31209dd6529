"""Files of at most 1 MB for every entry point but shapes, each made to cost far more than it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

LONG = 60_000  # characters of a word
MAKERS: dict[str, tuple[str, Callable[[Path], Path]]] = {}


def maker(door: str, file: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Enters what writes a file, and which of `entry_costs.DOORS` is to read it."""

    def enter(write: Callable[[Path], None]) -> Callable[[Path], None]:
        def make(folder: Path) -> Path:
            write(folder / file)
            size = (folder / file).stat().st_size
            assert size <= 2**20, f"{write.__name__} is of {size} bytes"
            return folder / file

        MAKERS[write.__name__] = door, make
        return write

    return enter


def threshold(scores: object) -> str:
    about = {"format": "openshape_ood threshold 1", "value": 0.5, "coverage": 0.95, "source": "made up"}
    return json.dumps({**about, "provenance": None, "scores": scores})


@maker("threshold", "a.json")
def scores_that_are_words(path: Path) -> None:
    path.write_text(threshold(["a" * LONG, *["b"] * 15_000]))


@maker("threshold", "a.json")
def scores_with_one_word_among_numbers(path: Path) -> None:
    path.write_text(threshold([*[0] * 15_000, "a" * LONG]))


@maker("page", "a.json")
def scores_that_are_words_on_the_page(path: Path) -> None:
    path.write_text(threshold(["a" * LONG, *["b"] * 15_000]))


@maker("list", "a.parquet")
def a_list_of_one_long_word(path: Path) -> None:
    from pyarrow import DictionaryArray, array, parquet, table

    words = DictionaryArray.from_arrays(array(np.zeros(2000, np.int32)), ["a" * 2**20])
    parquet.write_table(table({"path": words, "id": words}), path, compression="zstd", store_schema=False)


@maker("list", "a.parquet")
def a_list_of_very_many_rows(path: Path) -> None:
    from pyarrow import DictionaryArray, array, parquet, table

    words = DictionaryArray.from_arrays(array(np.zeros(20_000_000, np.int32)), ["a"])
    parquet.write_table(table({"path": words, "id": words}), path, compression="zstd", row_group_size=20_000_000)


def header(dim: int) -> str:
    from openshape_ood.embedding_store.schema import Header
    from openshape_ood.encoders.protocols import Identity, Provenance

    return Header(Provenance(Identity("mine", "words", "ab" * 32)), dim).to_json()


def store(path: Path, rows: int, dim: int, word: str) -> None:
    from pyarrow import DictionaryArray, FixedSizeListArray, Table, array, float32, int32, list_, parquet

    from openshape_ood.embedding_store.schema import COLUMNS, KEY

    vectors = FixedSizeListArray.from_arrays(array(np.full(rows * dim, 1, np.float32)), type=list_(float32(), dim))
    index = array(np.zeros(rows, np.int32), int32())
    columns = {name: DictionaryArray.from_arrays(index, ["ok" if name == "status" else word]) for name in COLUMNS}
    made = Table.from_pydict({**columns, "embedding": vectors}).replace_schema_metadata({KEY: header(dim)})
    with parquet.ParquetWriter(path, made.schema, compression="zstd") as file:
        for _ in range(20):
            file.write_table(made)


@maker("store", "a.parquet")
def a_store_of_wide_zeros(path: Path) -> None:
    store(path, 80, 65_536, "a")


@maker("known of store", "a.parquet")
def a_store_of_one_long_class(path: Path) -> None:
    store(path, 2_000, 4, "a" * 16_000 + "/1")


@maker("nearest of store", "a.parquet")
def a_store_of_one_long_id(path: Path) -> None:
    store(path, 100, 4, "a" * 16_000)


@maker("checkpoint", "a.pt")
def tensors_of_one_number(path: Path) -> None:
    import torch

    torch.save({f"{name}.weight": torch.zeros(1).expand(20_000, 20_000) for name in "qkv"}, path)


@maker("checkpoint", "a.pt")
def tensors_that_share_their_numbers(path: Path) -> None:
    import torch

    one = torch.zeros(100_000)
    torch.save({f"{name}{i}.weight": one for name in "qkv" for i in range(2000)}, path)


def known(path: Path, names: list[str]) -> None:
    from openshape_ood import ShapeEncoder
    from openshape_ood.known import KnownClasses
    from openshape_ood.storage import loaded_arrays, save_arrays

    clouds = np.random.RandomState(0).rand(2, 1024, 3)
    made = KnownClasses.from_examples({"a": [*clouds]}, ShapeEncoder.from_pretrained("tiny"), patches="local")
    made.save(path)
    with loaded_arrays(path, "set of known classes") as (told, arrays):
        save_arrays(path, arrays, {**told, "names": names}, "set of known classes")


@maker("localize", "a.safetensors")
def known_classes_with_one_long_name(path: Path) -> None:
    known(path, ["a" * LONG])


@maker("detector", "a.safetensors")
def a_detector_with_one_long_name(path: Path) -> None:
    from openshape_ood.sklearn_api.detector import NoveltyDetector
    from openshape_ood.storage import loaded_arrays, save_arrays

    k = 3000
    rows = np.arange(1, k + 1, dtype=np.float64)[:, None].repeat(2, axis=0)
    NoveltyDetector("prototype_euclidean").fit(rows, np.arange(k).repeat(2).astype(str)).save(path)
    with loaded_arrays(path, "detector") as (told, arrays):
        told["parts"][0]["classes"][-1] = "z" * LONG
        arrays = {name: one.astype({"f": "f4", "i": "i2"}[one.dtype.kind]) for name, one in arrays.items()}
        save_arrays(path, arrays, told, "detector")


def cloud_with_classes(comment: str, count: int = 10_000) -> bytes:
    properties = "".join(f"property uchar {name}\n" for name in ("x", "y", "z", "class"))
    head = f"ply\nformat binary_little_endian 1.0\n{comment}element vertex {count}\n{properties}end_header\n"
    rows = np.random.RandomState(0).randint(0, 255, (count, 4)).astype(np.uint8)
    rows[:, 3] = 0
    return head.encode() + rows.tobytes()


@maker("show", "a.ply")
def a_map_with_one_long_name(path: Path) -> None:
    path.write_bytes(cloud_with_classes(f'comment class 0 "{"a" * LONG}"\n'))


@maker("show", "a.ply")
def a_map_with_a_nested_name(path: Path) -> None:
    path.write_bytes(cloud_with_classes(f"comment class 0 {'[' * LONG}\n"))


@maker("show", "a.ply")
def a_scan_with_one_long_name_beside(path: Path) -> None:
    names = {"format": "openshape_ood names 1", "labels": {"0": "a" * LONG}}
    path.with_suffix(".names.json").write_text(json.dumps(names))
    path.write_bytes(cloud_with_classes(""))


@maker("h5", "a.h5")
def labels_that_are_nowhere(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("data", (500_000_000, 8, 3), "f4", chunks=(1000, 8, 3))
        file.create_dataset("label", (500_000_000,), "i8", chunks=(1000,))


@maker("h5", "a.h5")
def labels_that_are_not_of_the_clouds(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("data", (10, 8, 3), "f4")
        file.create_dataset("label", (500_000_000,), "i8", chunks=(1000,))


@maker("h5 row", "a.h5")
def a_cloud_that_is_nowhere(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("data", (10, 500_000_000, 3), "f4", chunks=(1, 1000, 3))


@maker("registry", "a.toml")
def a_long_chain_of_rows(path: Path) -> None:
    rows = ['["a0"]\nlike = "tiny"', *(f'["a{i}"]\nlike = "a{i - 1}"' for i in range(1, 20_000))]
    path.write_text("\n".join(reversed(rows)))
