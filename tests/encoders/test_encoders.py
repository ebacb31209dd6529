"""ShapeEncoder: the same embedding whatever way a shape comes in, and a clear error for what is none."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from openshape_ood import ShapeEncoder
from openshape_ood.encoders.devices import find_device
from openshape_ood.errors import CloudError, InputError, ShapeFileError, UnknownNameError, WeightsError
from openshape_ood.registry.files import fetch, sha256
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import check_cloud, prepare, sample_seeds

SAME = 1e-5
PROPERTY = settings(max_examples=6, deadline=None, derandomize=True, database=None)


def cloud(n: int = 1500, seed: int = 0, color: bool = False) -> np.ndarray:
    """A lopsided cloud, exact in float32."""
    rng = np.random.RandomState(seed)
    xyz = rng.standard_normal((n, 3)) * [1, 2, 3] + np.abs(rng.standard_normal((n, 3)))
    return np.hstack([xyz, rng.uniform(size=(n, 3))] if color else [xyz]).astype(np.float32).astype(np.float64)


def lattice(step: float = 0.01) -> np.ndarray:
    """A cloud in which nearly every distance occurs many times."""
    axes = [np.arange(size) * step for size in (7, 12, 15)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(np.asarray(a, float) - b, axis=-1).max())


@pytest.fixture(scope="module")
def clouds() -> list[np.ndarray]:
    sizes = [300, 1500, 1024, 2]
    return [cloud(n, seed=i, color=i % 2 == 1) for i, n in enumerate(sizes)]


@pytest.fixture(scope="module")
def embeddings(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> np.ndarray:
    return tiny.encode(clouds)


# what it is


def test_what_an_encoder_says_of_itself(tiny: ShapeEncoder) -> None:
    assert (tiny.identity.checkpoint, tiny.dim, tiny.spec.count, tiny.spec.up) == ("tiny", 192, 1024, "y")
    assert tiny.device == torch.device("cpu")
    assert not tiny.network.training
    assert not any(p.requires_grad for p in tiny.network.parameters())
    assert repr(tiny) == "ShapeEncoder('tiny', d=192, device='cpu')"


def test_embeddings(embeddings: np.ndarray) -> None:
    assert embeddings.shape == (4, 192)
    assert embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert distance(embeddings[0], embeddings[1]) > 1e-3


def test_without_normalizing(tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray) -> None:
    raw = tiny.encode(clouds, normalize=False)
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.abs(norms - 1).max() > 1e-3
    assert distance(raw / norms, embeddings) < 1e-5


def test_nothing_is_changed_in_the_caller_s_arrays(tiny: ShapeEncoder) -> None:
    given = cloud(50, color=True)
    given[:, 3:] *= 255
    before = given.copy()
    tiny.encode(given, up="-z")
    assert np.array_equal(given, before)


# one shape, one embedding


def test_loaded_again(clouds: list[np.ndarray], embeddings: np.ndarray) -> None:
    assert np.array_equal(ShapeEncoder.from_pretrained("tiny", device="cpu").encode(clouds), embeddings)


def test_no_global_random_state(tiny: ShapeEncoder) -> None:
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    tiny.encode([cloud(), trimesh.creation.box()])
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


@PROPERTY
@given(order=st.permutations(range(4)), batch_size=st.integers(1, 5))
def test_in_any_order(
    tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray, order: list[int], batch_size: int
) -> None:
    shuffled = tiny.encode([clouds[i] for i in order], batch_size=batch_size)
    assert distance(shuffled, embeddings[order]) < SAME


STACK = np.stack([cloud(60, seed=i) for i in range(3)])
FORMS: dict[str, Any] = {
    "list": list(STACK),
    "tuple": tuple(STACK),
    "generator": None,
    "float32": STACK.astype(np.float32),
    "fortran": np.asfortranarray(STACK),
    "torch": torch.from_numpy(STACK),
    "torch float32": torch.from_numpy(STACK).float(),
    "torch with gradient": torch.from_numpy(STACK).requires_grad_(),
    "list of torch": list(torch.from_numpy(STACK)),
    "nested lists": STACK.tolist(),
    "mixed": [STACK[0], torch.from_numpy(STACK[1]), STACK[2].tolist()],
    "trimesh": [trimesh.PointCloud(one) for one in STACK],
}


@pytest.fixture(scope="module")
def stack_embeddings(tiny: ShapeEncoder) -> np.ndarray:
    return tiny.encode(STACK)


@pytest.mark.parametrize("form", FORMS)
def test_any_form(tiny: ShapeEncoder, stack_embeddings: np.ndarray, form: str) -> None:
    given = FORMS[form] if form != "generator" else (one for one in STACK)
    assert distance(tiny.encode(given), stack_embeddings) < 1e-5


@pytest.mark.parametrize("form", [np.asarray, torch.from_numpy, np.ndarray.tolist, trimesh.PointCloud])
def test_one_cloud_in_any_form(
    tiny: ShapeEncoder, stack_embeddings: np.ndarray, form: Callable[[np.ndarray], Any]
) -> None:
    assert distance(tiny.encode(form(STACK[0])), stack_embeddings[:1]) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32, torch.uint8])
def test_tensors_of_any_type(tiny: ShapeEncoder, dtype: torch.dtype) -> None:
    given = (torch.from_numpy(cloud(50)) * 8 + 100).to(dtype)
    assert distance(tiny.encode(given), tiny.encode(given.double())) == 0


# where it lies, and how large it is


@PROPERTY
@given(offset=st.tuples(*[st.floats(-9e6, 9e6)] * 3))
def test_far_from_the_origin(
    tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray, offset: tuple[float, ...]
) -> None:
    moved = [one + np.append(offset, np.zeros(one.shape[1] - 3)) for one in clouds]
    assert distance(tiny.encode(moved), embeddings) < 1e-3


@PROPERTY
@given(exponent=st.floats(-300, 300))
def test_any_unit(tiny: ShapeEncoder, exponent: float) -> None:
    assert distance(tiny.encode(cloud(200) * 10**exponent), tiny.encode(cloud(200))) < 1e-3


@pytest.mark.parametrize(
    "pair", [[[0, 0, 0], [1, 0, 0]], [[5, 5, 5], [5, 5, 5], [5, 5, 6]], [[0, 0, 0], [5e-324, 0, 0]]]
)
def test_two_different_points_suffice(tiny: ShapeEncoder, pair: list) -> None:
    assert np.isfinite(tiny.encode(pair)).all()


@pytest.mark.parametrize("n", [2, 1023, 1025, 20_000])
def test_any_number_of_points(tiny: ShapeEncoder, n: int) -> None:
    assert np.isfinite(tiny.encode(cloud(n))).all()


# the seed


@pytest.mark.parametrize("n", [300, 5000])
def test_the_seed(tiny: ShapeEncoder, n: int) -> None:
    first, again, other = (tiny.encode(cloud(n), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert distance(first, other) > 1e-6


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "0", None, True])
def test_wrong_seeds(tiny: ShapeEncoder, seed: Any) -> None:
    with pytest.raises(InputError, match=r"seed is .*\. Expected a whole number from 0"):
        tiny.encode(cloud(), seed=seed)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "3", None, True])
def test_wrong_batch_sizes(tiny: ShapeEncoder, batch_size: Any) -> None:
    with pytest.raises(InputError, match=r"batch_size is .*\. Expected a whole number from 1 up"):
        tiny.encode(cloud(), batch_size=batch_size)


def test_numpy_numbers_are_numbers(tiny: ShapeEncoder) -> None:
    assert np.array_equal(tiny.encode(cloud(), seed=np.uint8(3), batch_size=np.int64(2)), tiny.encode(cloud(), seed=3))


# the gravity axis


def test_up_is_exchanged(tiny: ShapeEncoder) -> None:
    assert np.array_equal(tiny.encode(cloud(), up="z"), tiny.encode(cloud()[:, [0, 2, 1]]))
    assert np.array_equal(tiny.encode(cloud(), up="x"), tiny.encode(cloud()[:, [1, 0, 2]]))
    assert distance(tiny.encode(cloud(), up="z"), tiny.encode(cloud())) > 1e-3


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_upside_down(tiny: ShapeEncoder, axis: str) -> None:
    given = cloud(color=True)
    column = "xyz".index(axis)
    turned = given.copy()
    turned[:, [column, (column + 1) % 3]] *= -1
    assert distance(tiny.encode(turned, up=f"-{axis}"), tiny.encode(given, up=axis)) < SAME


def test_one_axis_a_shape(tiny: ShapeEncoder) -> None:
    together = tiny.encode([cloud()] * 3, up=["y", "z", "-x"], batch_size=2)
    assert distance(together, np.concatenate([tiny.encode(cloud(), up=up) for up in ("y", "z", "-x")])) < SAME
    assert np.array_equal(tiny.encode([cloud()], up=np.array(["z"])), tiny.encode(cloud(), up="z"))


def test_up_from_the_file(tiny: ShapeEncoder, tmp_path: Path) -> None:
    y_up = write_box(tmp_path / "box.glb")
    collada = write_box(tmp_path / "box.dae")
    text = collada.read_text().replace("Y_UP", "Z_UP")
    assert "<up_axis>" in text
    collada.write_text(text)
    stated = tiny.encode([y_up, collada, cloud()], up="file")
    assert distance(stated, tiny.encode([y_up, collada, cloud()], up=["y", "z", "y"])) < SAME


@pytest.mark.parametrize("up", ["Y", "w", "", "-", "+y", "--y", None, 5, ["y", None], b"y"])
def test_wrong_axes(tiny: ShapeEncoder, up: Any) -> None:
    with pytest.raises(InputError, match=r"up is .*\. Expected one of y, z, x, -y, -z, -x, or 'file'|up has"):
        tiny.encode([cloud()] * 2, up=up)


@pytest.mark.parametrize("up", [[], ["y"], ["y", "y", "y"]])
def test_a_wrong_number_of_axes(tiny: ShapeEncoder, up: list[str]) -> None:
    with pytest.raises(InputError, match=f"up has {len(up)} entries for 2 shapes"):
        tiny.encode([cloud()] * 2, up=up)


# color


def test_a_uint8_cloud_has_uint8_colors(tiny: ShapeEncoder) -> None:
    given = np.random.RandomState(0).randint(0, 2, (100, 6)).astype(np.uint8)
    unit = given.astype(np.float64) / [1, 1, 1, 255, 255, 255]
    assert np.array_equal(tiny.encode(given), tiny.encode(unit))


# what is no shape


def with_entry(value: float, column: int = 1) -> np.ndarray:
    bad = cloud(50, color=True)
    bad[7, column] = value
    return bad


WRONG: dict[str, tuple[Any, str]] = {
    "nan": (with_entry(np.nan), r"NaN or infinity in 1 of 50 points.*points\[np.isfinite\(points\).all\(axis=1\)\]"),
    "inf": (with_entry(np.inf), "NaN or infinity in 1 of 50 points"),
    "nan color": (with_entry(np.nan, 4), "NaN or infinity in 1 of 50 points"),
    "no points": (cloud(0), "has no points"),
    "no points in a tensor": (torch.zeros(0, 6), "has no points"),
    "one point": (cloud(1), "has a single point. Expected at least two different points"),
    "one point repeated": (np.tile(cloud(1), (90, 1)), "is one point repeated 90 times"),
    "one point in many colors": (np.hstack([np.ones((9, 3)), cloud(9, color=True)[:, 3:]]), "is one point repeated"),
    "two columns": (cloud()[:, :2], r"has the shape \(1500, 2\)\. Expected \(n, 3\) xyz, or \(n, 6\)"),
    "four columns": (np.ones((5, 4)), r"Drop other columns first: points\[:, :3\]"),
    "transposed": (cloud().T, r"has the shape \(3, 1500\)"),
    "a row": (np.ones(3), r"has the shape \(3,\)"),
    "ragged": ([[0, 0, 0], [1, 1]], "is not a table of numbers"),
    "text": ([["a", "b", "c"], ["d", "e", "f"]], "is not a table of numbers"),
    "numbers as text": (cloud().astype(str), "is not a table of numbers"),
    "complex": (cloud() + 1j, "is not a table of numbers"),
    "objects": (np.array([[0, 0, 0], [1, 1, None]]), "is not a table of numbers"),
    "none": (None, "is not a table of numbers"),
    "a number": (5, r"has the shape \(\)"),
    "a mapping": ({"points": cloud()}, "is not a table of numbers"),
    "negative colors": (with_entry(-0.1, 3), r"from -0.1 to .* are normals, drop them: points\[:, :3\]"),
    "large colors": (with_entry(256, 5), "to 256. Expected colors 0-1 or 0-255. If they are normals"),
    "beyond float64": ([[1.7e308, 0, 0], [-1.7e308, 1, 0], [1.7e308, 2, 0]], "its extent is beyond float64"),
    "an empty mesh": (trimesh.Trimesh(), "no faces and no points"),
    "an empty scene": (trimesh.Scene(), "no faces and no points"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_shape_is_named_by_its_position(tiny: ShapeEncoder, kind: str) -> None:
    shape, message = WRONG[kind]
    with pytest.raises(CloudError, match=f"(?s)^shape 2.*{message}"):
        tiny.encode([cloud(), cloud(), shape, cloud()], batch_size=2)


@pytest.mark.parametrize("kind", ["nan", "no points", "one point", "four columns", "negative colors", "complex"])
def test_what_is_no_shape_alone(tiny: ShapeEncoder, kind: str) -> None:
    shape, message = WRONG[kind]
    with pytest.raises(CloudError, match=f"^the shape.*{message}"):
        tiny.encode(shape)


def test_in_a_stack(tiny: ShapeEncoder) -> None:
    with pytest.raises(CloudError, match=r"^shape 1 has NaN or infinity"):
        tiny.encode(np.stack([cloud(50, color=True), with_entry(np.nan)]))


@pytest.mark.parametrize("shapes", [[], (), iter([])])
def test_no_shapes(tiny: ShapeEncoder, shapes: Any) -> None:
    with pytest.raises(CloudError, match="the list of shapes is empty"):
        tiny.encode(shapes)


@pytest.mark.parametrize(
    "shapes", [np.ones((0, 9, 3)), np.ones(3), np.ones((1, 2, 3, 3)), np.array(5.0), torch.ones(())]
)
def test_arrays_that_are_no_shapes(tiny: ShapeEncoder, shapes: Any) -> None:
    with pytest.raises(CloudError, match=r"shapes has the shape \(.*\. Expected one cloud"):
        tiny.encode(shapes)


@pytest.mark.parametrize("shapes", [None, 5, {"chair": cloud()}, b"chair.ply", print])
def test_other_things_that_are_no_shapes(tiny: ShapeEncoder, shapes: Any) -> None:
    with pytest.raises(CloudError, match=rf"shapes is {type(shapes).__name__}\. Expected a cloud"):
        tiny.encode(shapes)


@pytest.mark.parametrize("shapes", ["chair", ["chair"], "no_such_file.ply", Path("no_such_file.ply")])
def test_text_is_a_path(tiny: ShapeEncoder, shapes: Any) -> None:
    with pytest.raises(ShapeFileError, match=r"chair|no_such_file"):
        tiny.encode(shapes)


def test_a_cloud_of_repeats_but_for_what_resampling_leaves_out(tiny: ShapeEncoder) -> None:
    nearly = np.vstack([np.full((50_000, 3), 0.1), [[1, 2, 3]]])
    with pytest.raises(CloudError, match=r"the shape is one point repeated .*np.unique\(points, axis=0\)"):
        tiny.encode(nearly)


# files and meshes


def write_box(path: Path) -> Path:
    trimesh.creation.box((1, 2, 3)).export(path)
    return path


def test_files(tiny: ShapeEncoder, tmp_path: Path) -> None:
    path = tmp_path / "shape.npy"
    np.save(path, cloud())
    expected = tiny.encode(cloud())
    for shapes in (path, str(path), [path], [str(path)]):
        assert np.array_equal(tiny.encode(shapes), expected)


def test_a_bad_cloud_in_a_file_is_named_by_its_path(tiny: ShapeEncoder, tmp_path: Path) -> None:
    np.save(tmp_path / "shape.npy", with_entry(np.nan))
    with pytest.raises((CloudError, ShapeFileError), match=r"shape\.npy.*NaN"):
        tiny.encode([cloud(), tmp_path / "shape.npy"])


class OwnPath:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_whatever_stands_for_a_path(tiny: ShapeEncoder, tmp_path: Path) -> None:
    path = write_box(tmp_path / "box.ply")
    expected = tiny.encode(path)
    assert np.array_equal(tiny.encode(OwnPath(path)), expected)
    with os.scandir(tmp_path) as entries:
        assert np.array_equal(tiny.encode(list(entries)), expected)


def test_meshes(tiny: ShapeEncoder) -> None:
    box = trimesh.creation.box((1, 2, 3))
    scene = trimesh.Scene(box)
    assert distance(tiny.encode([box, scene]), tiny.encode(box)) < SAME
    assert not np.array_equal(tiny.encode(box, seed=1), tiny.encode(box))


# device, weights, progress


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), None])
def test_devices(device: Any) -> None:
    assert isinstance(find_device(device), torch.device)


@pytest.mark.parametrize("device", ["gpu", "", "cpu:x", "cuda:99", "meta", 99, [], "vulkan"])
def test_devices_that_are_not_there(device: Any) -> None:
    with pytest.raises(InputError, match=r"device .* cannot be used here \("):
        ShapeEncoder.from_pretrained("tiny", device=device)


@contextmanager
def everyday_training() -> Iterator[None]:
    """The settings that make training quick and embeddings rough."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            yield
            assert torch.get_float32_matmul_precision() == "medium" and torch.is_autocast_enabled("cpu")
    finally:
        torch.set_float32_matmul_precision(before)


def test_settings_of_torch_change_nothing(tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray) -> None:
    with everyday_training():
        rough = torch.ones(8, 8).mul(1.001) @ torch.eye(8)
        assert not torch.equal(rough.float(), torch.full((8, 8), 1.001))  # the settings are at work
        assert np.array_equal(tiny.encode(clouds), embeddings)


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch before 2.9")
def test_a_setting_for_one_backend(tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray) -> None:
    backend: Any = torch.backends.cuda.matmul  # torch's common setting cannot be read while this one differs
    before = backend.fp32_precision
    backend.fp32_precision = "tf32"
    try:
        assert np.array_equal(tiny.encode(clouds), embeddings)
        assert backend.fp32_precision == "tf32"
    finally:
        backend.fp32_precision = before


def test_a_fetched_file_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    for place in ("registry.files", "registry.weights"):
        monkeypatch.setattr(f"openshape_ood.{place}.sha256", lambda path: hashed.append(path) or sha256(path))
    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu")
    assert encoder.identity.sha256 == sha256(hashed[0]) and len(hashed) == 1


def test_a_checkpoint_at_home(tiny: ShapeEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch(tiny.row)
    monkeypatch.setenv("HOME", str(path.parent))
    encoder = ShapeEncoder.from_pretrained("tiny", checkpoint=f"~/{path.name}", device="cpu")
    assert encoder.identity.sha256 == tiny.identity.sha256
    with pytest.raises(InputError, match=r"checkpoint is 5 .*Expected the path"):
        ShapeEncoder.from_pretrained("tiny", checkpoint=5)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown checkpoint 'tinny'.*one of tiny, .*Did you mean 'tiny'"):
        ShapeEncoder.from_pretrained("tinny")
    with pytest.raises(UnknownNameError, match="unknown sampler 'fps'; known: auto, torch, triton, dgl"):
        ShapeEncoder.from_pretrained("tiny", sampler="fps")
    with pytest.raises(UnknownNameError, match="unknown precision 'half'; known: float32, bfloat16, float16"):
        ShapeEncoder.from_pretrained("tiny", precision="half")


@pytest.mark.parametrize("precision, limit", [("bfloat16", 1e-3), ("float16", 1e-5)])
def test_reduced_precision(
    tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray, precision: Any, limit: float
) -> None:
    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu", precision=precision)
    rough = encoder.encode(clouds)
    assert (tiny.precision, encoder.precision) == ("float32", precision)
    assert rough.dtype == np.float32
    assert 0 < (1 - (rough * embeddings).sum(axis=1)).max() <= limit  # cosines
    centers = [one.encode_patches(clouds[:2])[1] for one in (encoder, tiny)]
    np.testing.assert_array_equal(*centers)


def test_another_sampler(tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray) -> None:
    pytest.importorskip("dgl")
    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu", sampler="dgl")
    assert distance(encoder.encode(clouds), embeddings) < SAME


def test_a_registry_with_a_file_beside_it(tiny: ShapeEncoder, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(fetch(tiny.row).read_bytes())
    row = Path("openshape_ood/registry/checkpoints.toml")
    text = (Path(__file__).parents[2] / row).read_text().split("\n[vitb32]")[0]
    text = text.replace("[tiny", "[mine").replace('package = "tiny/encoder', 'file = "weights').replace("0.4", "0.9")
    (tmp_path / "mine.toml").write_text(text)
    encoder = ShapeEncoder.from_pretrained("mine", registry=tmp_path / "mine.toml", device="cpu")
    assert encoder.identity.sha256 == tiny.identity.sha256
    light = np.hstack([cloud(), np.full((1500, 3), 0.9)])
    assert distance(encoder.encode(cloud()), tiny.encode(light)) < SAME


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_weights_that_give_no_direction(value: float) -> None:
    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu")
    encoder.network.proj.weight.fill_(value)
    encoder.network.proj.bias.fill_(value)
    with pytest.raises(WeightsError, match="tiny gave the shape an embedding that is zero or not finite"):
        encoder.encode(cloud())


def test_quiet_unless_asked(tiny: ShapeEncoder, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.encode([cloud()] * 3, batch_size=2)
    assert capsys.readouterr() == ("", "")
    tiny.encode([cloud()] * 3, batch_size=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


# num_samples, patches


def test_samplings_are_averaged_as_directions_and_begin_with_the_seed_itself(
    tiny: ShapeEncoder, clouds: list[np.ndarray]
) -> None:
    num_samples = [tiny.encode(clouds, seed=s).astype(np.float64) for s in sample_seeds(7, 3)]
    assert sample_seeds(7, 3)[0] == 7
    mean = np.mean(num_samples, axis=0)
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    found, spread = tiny.encode_with_spread(clouds, seed=7, num_samples=3)
    np.testing.assert_array_equal(tiny.encode(clouds, seed=7, num_samples=3), found)
    np.testing.assert_allclose(found, expected, atol=SAME)
    written_out = [np.mean([1 - view[i] @ expected[i] for view in num_samples]) for i in range(len(clouds))]
    np.testing.assert_allclose(spread, written_out, atol=SAME)
    np.testing.assert_allclose(tiny.encode(clouds[1], seed=7, num_samples=3)[0], found[1], atol=SAME)


def test_a_single_sampling_has_no_spread(tiny: ShapeEncoder, clouds: list[np.ndarray], embeddings: np.ndarray) -> None:
    found, spread = tiny.encode_with_spread(clouds, num_samples=1)
    np.testing.assert_array_equal(found, embeddings)
    np.testing.assert_allclose(spread, 0, atol=1e-5)


def test_averages_are_steadier_than_single_samplings(tiny: ShapeEncoder) -> None:
    """Two averages over eight samplings each lie nearer together than two single samplings."""
    shape = lattice()
    single = [tiny.encode(shape, seed=s)[0] for s in (1, 2)]
    averaged = [tiny.encode(shape, seed=s, num_samples=8)[0] for s in (1, 2)]
    assert 1 - averaged[0] @ averaged[1] < 1 - single[0] @ single[1]


def test_raw_averages_keep_the_length(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> None:
    raw = [np.linalg.norm(tiny.encode(clouds, seed=s, normalize=False), axis=1) for s in sample_seeds(0, 4)]
    averaged = np.linalg.norm(tiny.encode(clouds, normalize=False, num_samples=4), axis=1)
    np.testing.assert_allclose(averaged, np.mean(raw, axis=0), rtol=1e-4)


@pytest.mark.parametrize("num_samples", [0, -1, 1.5, True, "2"])
def test_samplings_are_counted(tiny: ShapeEncoder, num_samples: Any) -> None:
    for encode in (tiny.encode, tiny.encode_with_spread):
        with pytest.raises(InputError, match="Expected a whole number from 1 up"):
            encode(cloud(), num_samples=num_samples)


def test_options_are_keywords(tiny: ShapeEncoder) -> None:
    for encode in (tiny.encode, tiny.encode_with_spread, tiny.encode_patches):
        with pytest.raises(TypeError, match="positional"):
            encode(cloud(), "y")


def test_patch_tokens_lie_in_the_unit_ball_and_in_any_batch(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> None:
    tokens, centers, radius = tiny.encode_patches(clouds, batch_size=2)
    sizes = tiny.row.sizes
    assert radius == sizes.radius
    assert tokens.shape == (len(clouds), sizes.patches, sizes.width)
    assert centers.shape == (len(clouds), sizes.patches, 3)
    assert np.linalg.norm(centers, axis=2).max() <= 1 + 1e-4
    alone, where, _ = tiny.encode_patches(clouds[1])
    np.testing.assert_allclose(tokens[1], alone[0], atol=1e-4)
    np.testing.assert_array_equal(centers[1], where[0])


def test_prepared_clouds_give_the_same_embedding(tiny: ShapeEncoder) -> None:
    points = prepare(check_cloud(cloud(), "it"), CloudSpec(1024, "y", 0.4), up="z", seed=3, name="it")
    raw = tiny.encode(cloud(), up="z", seed=3, normalize=False)
    np.testing.assert_array_equal(tiny.encode_prepared(points[None]), raw)


def test_threads_at_once_disturb_neither_each_other_nor_the_settings(tiny: ShapeEncoder) -> None:
    clouds = [random_cloud(seed) for seed in range(4)]
    alone = [tiny.encode(cloud) for cloud in clouds]
    before = (torch.backends.cudnn.deterministic, torch.get_float32_matmul_precision())
    torch.set_float32_matmul_precision("medium")  # rounds to bfloat16 where the CPU can
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(tiny.encode, clouds * 6))
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.deterministic == before[0]
    finally:
        torch.set_float32_matmul_precision(before[1])
    for i, embedding in enumerate(found):
        np.testing.assert_allclose(embedding, alone[i % 4], atol=1e-5)


def random_cloud(seed: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-1, 1, (3000, 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_default_type_of_the_caller_changes_nothing(tiny: ShapeEncoder, dtype: torch.dtype) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        other = ShapeEncoder.from_pretrained("tiny", device="cpu")
        found = other.encode(random_cloud(1))
    finally:
        torch.set_default_dtype(before)
    np.testing.assert_allclose(found, tiny.encode(random_cloud(1)), atol=1e-5)


def test_an_encoder_can_be_pickled(tiny: ShapeEncoder) -> None:
    copied = pickle.loads(pickle.dumps(tiny))
    np.testing.assert_array_equal(copied.encode(random_cloud(1)), tiny.encode(random_cloud(1)))


def test_prepared_clouds_may_be_read_only_or_none(tiny: ShapeEncoder) -> None:
    clouds = np.random.RandomState(0).uniform(-0.5, 0.5, (1, 1024, 6)).astype(np.float32)
    writable = tiny.encode_prepared(clouds)
    clouds.setflags(write=False)
    np.testing.assert_array_equal(tiny.encode_prepared(clouds), writable)
    assert tiny.encode_prepared(clouds[:0]).shape == (0, 192)
