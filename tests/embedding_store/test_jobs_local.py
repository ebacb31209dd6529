"""The local engine: every shape once, a bad file, runs that go on."""

from __future__ import annotations

import os
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shape_files import BROKEN, write_files

from openshape_ood import ShapeEncoder
from openshape_ood import embedding_store as store
from openshape_ood.embedding_store.jobs import Item, Settings, Share, embed, job, shards
from openshape_ood.errors import InputError, MixedEncodersError, OpenShapeError, UnknownNameError, WeightsError
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import PACKAGE

pytest.importorskip("pyarrow")
TINY = Settings("tiny", device="cpu", readers=0, shard_rows=6)


def table(folder: Path) -> dict[str, np.ndarray]:
    rows = Counter[str]()
    found: dict[str, np.ndarray] = {}
    for batch in store.read_embeddings(folder):
        rows.update(batch["id"])
        found |= dict(zip(batch["id"], batch["embedding"], strict=True))
    assert set(rows.values()) <= {1}
    return found


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    return write_files(tmp_path / "in", 16)


def test_rows_are_those_of_the_encoder(items: list[Item], tmp_path: Path, tiny: ShapeEncoder) -> None:
    seen: list[int] = []
    done = embed(items, tmp_path / "out", TINY, step=lambda count, process: seen.append(count))
    assert (done.given, done.embedded, done.reused, done.rows, done.errors) == (17, 16, 0, 16, 1)
    assert [(one.id, Path(one.path).name) for one in done.failed] == [(BROKEN, "broken.ply")]
    assert sum(seen) == 17
    found = table(tmp_path / "out")
    good = [item for item in items if item.id != BROKEN]
    expected = tiny.encode([item.path for item in good])
    np.testing.assert_allclose([found[item.id] for item in good], expected, atol=1e-5)
    assert len(list((tmp_path / "out" / "embeddings").iterdir())) == 3  # 17 files, 6 a shard


def test_reader_processes_change_nothing(items: list[Item], tmp_path: Path) -> None:
    embed(items, tmp_path / "here", TINY)
    embed(items, tmp_path / "apart", replace(TINY, readers=1))
    here, apart = table(tmp_path / "here"), table(tmp_path / "apart")
    assert here.keys() == apart.keys()
    np.testing.assert_allclose([apart[id] for id in here], list(here.values()), atol=1e-5)


def test_a_run_that_was_cut_off_goes_on(items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = job.write_shard, []

    def cut_off(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(*given)

    monkeypatch.setattr(job, "write_shard", cut_off)
    with pytest.raises(KeyboardInterrupt):
        embed(items, tmp_path / "out", TINY)
    done = embed(items, tmp_path / "out", TINY)
    # of the three shards of 6, 6 and 5 the first was written
    assert (done.reused, done.skipped, done.embedded, done.rows, done.errors) == (6, 0, 10, 16, 1)
    assert len(table(tmp_path / "out")) == 16


def test_only_what_is_new_is_embedded(items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(items[:10], tmp_path / "out", TINY)
    done = embed(items, tmp_path / "out", TINY)
    assert (done.reused, done.embedded + len(done.failed)) == (10, 7)
    monkeypatch.setattr(Settings, "load", lambda self: 1 / 0)  # nothing is left to be done
    again = embed(items, tmp_path / "out", TINY)
    assert (again.reused, again.skipped, again.embedded, again.failed) == (16, 1, 0, [])


def test_failed_shapes_are_tried_again_when_asked(items: list[Item], tmp_path: Path) -> None:
    embed(items[:3], tmp_path / "out", TINY)
    broken = next(item for item in items if item.id == BROKEN)
    embed([*items[:3], broken], tmp_path / "out", TINY)
    good = next(item for item in items if item.path.endswith(".obj"))
    Path(broken.path).unlink()
    Path(broken.path).symlink_to(good.path)  # still no PLY
    assert [one.id for one in embed([broken], tmp_path / "out", TINY, retry_failed=True).failed] == [BROKEN]
    assert embed([broken], tmp_path / "out", TINY).skipped == 1
    Path(broken.path).unlink()
    vertices = "\n".join(f"{i} {i * i % 7} {i * i * i % 5}" for i in range(50))
    head = (
        "ply\nformat ascii 1.0\nelement vertex 50\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    )
    Path(broken.path).write_text(head + vertices + "\n")
    done = embed([broken], tmp_path / "out", TINY)  # another file than the one that failed
    assert (done.embedded, done.errors, done.rows) == (1, 0, 4)


def test_axes_of_a_list_and_several_views(items: list[Item], tmp_path: Path, tiny: ShapeEncoder) -> None:
    turned = [replace(items[0], up="z"), items[1]]
    embed(turned, tmp_path / "up", TINY)
    expected = tiny.encode([item.path for item in turned], up=["z", "y"])
    found = table(tmp_path / "up")
    np.testing.assert_allclose([found[item.id] for item in turned], expected, atol=1e-5)
    (batch,) = store.read_embeddings(tmp_path / "up", ("id", "up"))
    ups = dict(zip(batch["id"], batch["up"], strict=True))
    assert ups == {turned[0].id: "z", turned[1].id: "y"}
    embed(items[:2], tmp_path / "num_samples", replace(TINY, num_samples=2, seed=5))
    found = table(tmp_path / "num_samples")
    expected = tiny.encode([item.path for item in items[:2]], num_samples=2, seed=5)
    np.testing.assert_allclose([found[item.id] for item in items[:2]], expected, atol=1e-5)


def test_the_temperature_goes_with_the_shards(items: list[Item], tmp_path: Path, tiny: ShapeEncoder) -> None:
    embed(items[:2], tmp_path / "out", TINY)
    header = store.read_header(tmp_path / "out")
    assert (header.identity, header.dim, header.temperature) == (tiny.identity, tiny.dim, tiny.temperature)


def test_what_is_refused(items: list[Item], tmp_path: Path) -> None:
    out = tmp_path / "out"
    embed(items[:2], out, TINY)
    with pytest.raises(InputError, match=r"seed 0\. Expected seed 1"):
        embed(items, out, replace(TINY, seed=1))
    with pytest.raises(MixedEncodersError, match=r"tiny.*Expected vitb32"):
        embed(items, out, replace(TINY, model="vitb32"))
    with pytest.raises(InputError, match="two shapes have the id"):
        embed([items[0], Item(items[0].id, "other.ply")], out, TINY)
    with pytest.raises(InputError, match=r"has the id .*, now it is for /elsewhere"):
        embed([replace(items[0], path="/elsewhere/x.ply")], out, TINY)
    with pytest.raises(UnknownNameError, match="local, ray"):
        embed(items, out, TINY, engine="spark")
    with pytest.raises(InputError, match="precision"):
        embed(items, out, replace(TINY, precision="int8"))
    with pytest.raises(WeightsError, match="there is no file"):
        embed(items, out, replace(TINY, checkpoint="nowhere.pt"))


def test_other_weights_on_a_worker_are_refused() -> None:
    header = TINY.header()
    made = replace(header.provenance, identity=replace(header.identity, sha256="ef" * 32))
    with pytest.raises(MixedEncodersError, match="on every machine"):
        shards.load(TINY, replace(header, provenance=made))


@pytest.mark.parametrize("name", ["mine", "mine+tiny"])
def test_weights_whose_sha256_nobody_has_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: ShapeEncoder
) -> None:
    """That of the first use goes into the header before the encoder is loaded."""
    source = PACKAGE / find_checkpoint("tiny").source.package
    (tmp_path / "mine.toml").write_text(f"[mine]\nlike = 'tiny'\nlicence = 'MIT'\nsource = {{ file = '{source}' }}\n")
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    settings = replace(TINY, model=name)
    with pytest.warns(UserWarning, match="the registry has no sha256"):
        header = settings.header()
    assert name != "mine" or header.identity.sha256 == tiny.identity.sha256
    assert shards.load(settings, header)[0].identity == header.identity


def test_a_shape_that_no_engine_accounts_for_is_told(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_run", lambda *given: None)
    with pytest.raises(Exception, match="17 shapes are missing"):
        embed(items, tmp_path / "out", TINY)


def test_a_shape_that_cannot_be_embedded_costs_itself_only(tmp_path: Path) -> None:
    # two different points among thousands, which sampling to 1,024 leaves out
    cloud = np.zeros((20_000, 3))
    cloud[7] = 1
    items = write_files(tmp_path / "in", 4)
    np.save(tmp_path / "in" / "same.npy", cloud)
    same = Item("same.npy", str(tmp_path / "in" / "same.npy"))
    for num_samples in (1, 2):
        done = embed([*items, same], tmp_path / f"out{num_samples}", replace(TINY, num_samples=num_samples))
        assert (done.rows, sorted(one.id for one in done.failed)) == (4, [BROKEN, "same.npy"])
        assert all("one point repeated" in one.error for one in done.failed if one.id == "same.npy")


def test_an_embedding_without_a_direction_costs_its_shape_only(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openshape_ood import ShapeEncoder

    encode_batches = ShapeEncoder.encode_batches

    def overflown(*given: Any) -> Any:
        for rows in encode_batches(*given):
            rows[0] = np.nan
            yield rows

    monkeypatch.setattr(ShapeEncoder, "encode_batches", overflown)
    done = embed(items, tmp_path / "out", replace(TINY, shard_rows=64, batch_size=8))
    assert (done.rows, done.errors) == (14, 3)  # two batches, and the broken file
    assert sum("not finite" in one.error for one in done.failed) == 2


def test_a_run_goes_on_from_another_working_folder(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(folder: str) -> list[Item]:
        return [replace(item, path=f"{folder}/{Path(item.path).relative_to(tmp_path / 'in')}") for item in items]

    monkeypatch.chdir(tmp_path)
    first = embed(listed("in"), "out", TINY)
    monkeypatch.chdir(tmp_path / "in")
    again = embed(listed("."), "../out", TINY)
    assert (first.embedded, again.embedded, again.reused) == (16, 0, 16)


def test_a_failure_is_of_its_file_and_the_same_file_twice_is_one(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.npy").write_bytes(b"nothing")
    assert embed([Item("x.npy", str(tmp_path / "bad" / "x.npy"))], tmp_path / "out", TINY).errors == 1
    good = next(item for item in items if item.id != BROKEN)
    done = embed([Item("x.npy", good.path)] * 2, tmp_path / "out", TINY)
    assert (done.given, done.embedded, done.rows, done.errors) == (1, 1, 1, 0)


def test_a_run_that_came_to_nothing_binds_no_folder(items: list[Item], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        embed(items, tmp_path / "out", replace(TINY, up="z", device="nowhere"))
    assert embed(items, tmp_path / "out", TINY).rows == 16


def test_shards_are_as_large_as_their_time_allows(items: list[Item], tiny: ShapeEncoder) -> None:
    class Instant:
        spec, dim = tiny.spec, 1

        def encode_batches(self, batches: Iterable[list[np.ndarray]]) -> Iterator[np.ndarray]:
            return (np.ones((len(batch), 1), np.float32) for batch in batches)

    whole, clouds = replace(TINY, shard_rows=1000), [item for item in items if item.id.endswith(".npy")]
    made = list(shards.embed_shards(Instant(), clouds * 41, whole, item_axes=False, seconds=1e9))
    assert [len(shard) for shard in made] == [64, 256, 8]
    hasty = list(shards.embed_shards(Instant(), items, whole, item_axes=False, seconds=0))
    assert [len(shard) for shard in hasty] == [17]  # the first is written whatever it took


def test_the_list_of_shapes_is_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy:
        def __iter__(self) -> Iterator[Item]:
            return (Item(f"shape-{i}", f"/somewhere/in/a/folder/shape-{i}.ply") for i in range(count))

    count, peak = 10_000, list[int]()

    def consume(items: Iterable[Item], *_: Any) -> None:
        assert sum(1 for _ in items) == count
        peak.append(tracemalloc.get_traced_memory()[1])

    monkeypatch.setattr(job, "_run", consume)
    tracemalloc.start()
    try:
        with pytest.raises(OpenShapeError, match="10000 shapes are missing"):
            embed(Lazy(), tmp_path / "out", TINY)
    finally:
        tracemalloc.stop()
    assert peak[0] < 150 * count  # bytes; as a list of Item they take more than 300 each


def test_a_file_that_was_replaced_is_embedded_again(items: list[Item], tmp_path: Path, tiny: ShapeEncoder) -> None:
    out, some = tmp_path / "out", [item for item in items if item.path.endswith(".npy")][:8]
    embed(some, out, TINY)
    before = table(out)
    np.save(some[3].path, np.load(some[5].path))  # another shape
    Path(some[7].path).write_bytes(b"no cloud any more")
    os.utime(some[6].path)  # copied anew: as good as another
    done = embed(some, out, TINY)
    assert (done.given, done.reused, done.embedded, done.changed) == (8, 5, 2, 3)
    assert [one.id for one in done.failed] == [some[7].id] and (done.rows, done.errors) == (7, 1)
    after = table(out)
    np.testing.assert_allclose(after[some[3].id], before[some[5].id], atol=1e-5)
    assert some[7].id not in after  # not the embedding of what it was
    again = embed(some, out, TINY)
    assert (again.reused, again.embedded, again.changed, again.skipped) == (7, 0, 0, 1)
    np.save(some[7].path, np.load(some[5].path))
    assert embed(some, out, TINY).embedded == 1  # it failed as another file


def test_a_run_that_was_killed_leaves_no_row_of_a_replaced_file(items: list[Item], tmp_path: Path) -> None:
    out, some = tmp_path / "out", [item for item in items if item.path.endswith(".npy")][:6]
    embed(some, out, TINY)
    before = table(out)
    np.save(some[3].path, np.load(some[5].path))
    embed(some, out, TINY, shard=Share(0, 1))  # which settles nothing: both rows are there
    ids = [id for batch in store.read_embeddings(out) for id in batch["id"]]
    assert ids.count(some[3].id) == 2
    done = embed(some, out, TINY)
    assert (done.reused, done.embedded, done.rows) == (6, 0, 6)
    np.testing.assert_allclose(table(out)[some[3].id], before[some[5].id], atol=1e-5)
