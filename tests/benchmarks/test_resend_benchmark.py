"""`python -m benchmarks resend` and `resend_train`: lists as published, figures computed apart, training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from benchmarks.images import command, training
from benchmarks.images.encoders import new_network, of_network, photograph, read_system, save_system
from benchmarks.images.evaluation import few_shot
from benchmarks.images.generated import CORNERS, KNOWN, LABELS_FROM, generated
from benchmarks.images.lists import (
    DATASETS,
    Counts,
    find_list,
    folder_list,
    folder_settings,
    read_list,
    read_setting,
    settings,
)
from benchmarks.images.training import ImageRecipe, Steps, published, train_system
from openshape_ood.comparison import Comparator
from openshape_ood.comparison.families import RelationSimilarity
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.comparison.released import ImageFeatures
from openshape_ood.errors import FileError, InputError, UnknownNameError, WeightsError


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(tmp_path_factory.mktemp("images"), per_class=3, per_base=4)


def pooled(*_: Any) -> ImageFeatures:
    """An encoder that anyone can compute again: mean colors of 8 x 8 fields."""
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(8), torch.nn.Flatten())
    network.register_parameter("device", torch.nn.Parameter(torch.zeros(1)))
    return ImageFeatures(network, "pooled", 192, lambda image: torch.from_numpy(pixels(image)))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255 - 0.5


def small_tree(folder: Path, lines: str) -> Path:
    for name in ("a dog/one 1.png", "cat/two.png", "cow/three.png"):
        (folder / "PACS" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / "PACS" / name)
    path = folder / "lists" / "PACS_DG" / "no_sketch.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines)
    return path


def test_the_settings_are_those_that_were_counted() -> None:
    assert {name: len(settings(name)) for name in DATASETS} == {
        "DTD": 1, "DomainNet_IN_OUT": 1, "DomainNet_Painting": 1, "DomainNet_Sketch": 1, "DomainNet_DG": 6,
        "PACS_DG": 4, "PACS_SS_DG": 3, "OfficeHome_DG": 4, "OfficeHome_SS_DG": 3, "MultiDatasets_DG": 4,
    }  # fmt: skip
    (one,) = settings("PACS_DG", target="Sketch")
    assert one.published == Counts(2533, 3769, 160, 6, 6, 1) and (one.support, one.tested) == ("no_Sketch", "Sketch")
    assert settings("DomainNet_DG", "Sketch", "Real")[0].published == Counts(3206, 3134, 3027, 25, 25, 25)
    told = Counts(2533, 3768, 160, 6, 6, 1).differences(one.published)
    assert told == ["known 3,768 (published 3,769)"]
    with pytest.raises(UnknownNameError, match="there are: Photo → ArtPainting"):
        settings("PACS_SS_DG", target="Photo")


def test_lists_with_spaces_and_any_labels(tmp_path: Path) -> None:
    path = small_tree(tmp_path, "PACS/a dog/one 1.png 7\n\n/PACS/cat/two.png -3\r\nPACS/cow/three.png 7\n")
    found, missing = read_list(path, tmp_path)
    assert found.labels.tolist() == [7, -3, 7] and found.names == {-3: "cat", 7: "a dog"} and missing == 0
    assert found.paths[0].name == "one 1.png"
    assert find_list(tmp_path / "lists", "PACS_DG", "no_Sketch") == path
    with pytest.raises(FileError, match=r"no list .*no_Photo.txt; expected one, and .* has no_sketch.txt"):
        find_list(tmp_path / "lists", "PACS_DG", "no_Photo")


@pytest.mark.parametrize(
    "lines, said",
    [
        ("PACS/cat/two.png x\n", "line 1 is .*expected a path, a space and an integer label"),
        ("PACS/cat/two.png 1\n4\n", "line 2 is '4'"),
        ("../cat/two.png 1\n", "leaves the folder of the data"),
        ("\n", "lists no existing image"),
        ("PACS/cat/two.png 1\nPACS/cat/none.png 1\n", "1 of the 2 images .* are not there: .*none.png"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_list(small_tree(tmp_path, lines), tmp_path)


def test_missing_images_are_left_out_where_asked_and_folders_are_added(tmp_path: Path) -> None:
    path = small_tree(tmp_path, "PACS/cat/two.png 1\nPACS/cat/none.png 1\n")
    found, missing = read_list(path, tmp_path, skip_missing=True)
    assert (len(found), missing) == (1, 1)
    other = tmp_path / "lists" / "DomainNet_DG" / "Source_Real.txt"
    other.parent.mkdir()
    other.write_text("real/bus/x.jpg 0\n")
    with pytest.raises(InputError, match=r"DomainNet/real/bus/x\.jpg"):
        read_list(other, tmp_path)


def test_a_target_without_unknown_images(tmp_path: Path) -> None:
    path = small_tree(tmp_path, "PACS/cat/two.png 1\n")
    (path.parent / "Sketch.txt").write_text("PACS/a dog/one 1.png 1\n")
    with pytest.raises(InputError, match=r"all 1 images of .* are of known classes"):
        read_setting(settings("PACS_DG", target="Sketch")[0], tmp_path / "lists", tmp_path)
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(FileError, match="no image that can be read"):
        photograph(tmp_path / "x.png")


def domains(folder: Path, **classes: str) -> Path:
    """A folder of domains, each with two images of each of its classes."""
    for domain, names in classes.items():
        for name in names.split():
            (folder / domain / name).mkdir(parents=True)
            for i in range(2):
                Image.new("RGB", (4, 4)).save(folder / domain / name / f"{i}.jpg")
    return folder


def test_lists_made_from_folders(tmp_path: Path) -> None:
    root = domains(tmp_path / "pets", photo="cat dog person", sketch="cat dog person", toy="ant cat")
    (root / "photo" / "cat" / "note.txt").write_text("no image")
    (root / "photo" / "cat" / ".hidden.jpg").write_text("no image")
    made = {one.target: (one, *pair) for one, *pair in folder_settings(root, ["person", "ant"])}
    assert {name: one.title for name, (one, *_) in made.items()} == {
        "photo": "pets no_photo → photo", "sketch": "pets no_sketch → sketch", "toy": "pets no_toy → toy",
    }  # fmt: skip
    _, support, target = made["photo"]
    assert list(support.names.values()) == ["cat", "dog"] and len(support) == 6
    assert list(target.names.values()) == ["cat", "dog", "person"] and len(target) == 6
    assert target.names[int(target.labels[-1])] == "person" == target.paths[-1].parent.name
    # a class that the source has not needs no wish
    ((one, support, target),) = folder_settings(root, source="photo", target="toy")
    assert one.title == "pets photo → toy" and set(support.names) & set(target.names) == {1}
    assert folder_list(root / "toy").names == {0: "ant", 1: "cat"}


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, r"all 4 images of .*photo are of known classes; .*--unknown CLASS: cat, dog"),
        ({"unknown": ["cow"]}, "--unknown cow: no such folder; expected one of cat, dog"),
        ({"target": "toy"}, "--target toy: no such folder; expected one of photo, sketch"),
        ({"unknown": ["cat", "dog"]}, "sketch have no image of a known class"),
    ],
)
def test_folders_that_are_no_lists(given: Any, said: str, tmp_path: Path) -> None:
    root = domains(tmp_path / "pets", photo="cat dog", sketch="cat dog")
    with pytest.raises(InputError, match=said):
        folder_settings(root, **given)


def test_images_outside_of_classes_and_a_single_domain(tmp_path: Path) -> None:
    root = domains(tmp_path / "pets", photo="cat dog")
    with pytest.raises(InputError, match="pets has the folders photo; expected two domains"):
        folder_settings(root, ["cat"])
    domains(root, sketch="cat")
    Image.new("RGB", (4, 4)).save(root / "photo" / "loose.png")
    with pytest.raises(InputError, match=r"loose\.png is not in the folder of a class"):
        folder_settings(root, ["cat"])


def test_folders_give_what_lists_of_the_same_images_give(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_encoder", pooled)
    both = ["--encoder", "mine", "--out", str(tmp_path), "--no-cache", "--quiet", "--draws", "0", "--device", "cpu"]
    lists = ["--data-root", str(tree / "data"), "--lists", str(tree / "lists"), "--target", "Photo"]
    assert command.main([*both, *lists]) == 0
    unknown = [*CORNERS][KNOWN:]
    base = ["--base", str(tree / "data/ImageNet/Data/CLS-LOC/train")]
    folders = ["--data-root", str(tree / "data/PACS/kfold"), "--target", "photo", "--unknown", *unknown]
    assert command.main([*both, *folders, *base]) == 0
    listed = json.loads((tmp_path / "resend-PACS_DG-Photo-mine.json").read_text())
    made = json.loads((tmp_path / f"resend-kfold-photo-mine-unknown-{'-'.join(unknown)}.json").read_text())
    assert (made["dataset"], made["lists"][0]["published"], made["lists"][0]["differs"]) == ("kfold", None, [])
    assert made["lists"][0]["counts"] == listed["lists"][0]["counts"]
    found = {row["method"]: row["auroc"] for row in made["rows"]}
    assert found["cosine, prototypes"] == pytest.approx(listed["rows"][0]["auroc"], abs=1e-12)
    assert "whitened, of base, prototypes" in found


def test_few_shot() -> None:
    labels = np.array([5, 5, 5, 9, 9])
    drawn = few_shot(labels, 40, True, 0)
    assert np.bincount(labels[drawn]).tolist()[5:] == [40, 0, 0, 0, 40] and len(set(drawn)) == 5
    assert few_shot(labels, 3, False, 0).tolist() == [0, 1, 2, 3, 4]  # a class gives all it has
    assert few_shot(labels, None, True, 0).tolist() == [0, 1, 2, 3, 4]
    assert (few_shot(labels, 2, True, 1) == few_shot(labels, 2, True, 1)).all()


def by_hand(known: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    """AUROC by counting pairs, both FPR95s by trying every threshold; larger is more novel."""
    auroc = np.mean([(k < u) + (k == u) / 2 for k in known for u in unknown])
    tried = sorted({*known, *unknown})
    kept, taken = ([0, *(np.mean(side <= t) for t in tried)] for side in (known, unknown))
    best = min(reversed(tried), key=lambda t: abs(np.mean(known <= t) - 0.95))
    above = next(i for i, share in enumerate(kept) if share >= 0.95)
    share = (0.95 - kept[above - 1]) / (kept[above] - kept[above - 1])
    fpr95 = taken[above - 1] + share * (taken[above] - taken[above - 1])
    return {"auroc": float(auroc), "fpr95": float(fpr95), "fpr95_published": float(np.mean(unknown <= best))}


def test_figures_are_those_of_an_independent_computation(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_encoder", pooled)
    argv = ["--data-root", str(tree / "data"), "--lists", str(tree / "lists"), "--encoder", "mine", "--target", "Photo"]
    argv += ["--out", str(tmp_path), "--no-cache", "--quiet", "--draws", "0", "--device", "cpu"]
    argv += ["--base", str(tree / "lists" / "ImageNet" / "train.txt")]
    assert command.main(argv) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "COUNTS DIFFER FROM THE PUBLISHED ONES: support 54 (published 3,450); known 18 (published 1,238)" in out
    report = json.loads((tmp_path / "resend-PACS_DG-Photo-mine.json").read_text())
    sides: dict[str, list[tuple[int, np.ndarray]]] = {"no_Photo": [], "Photo": []}
    for name, own in sides.items():
        for line in (tree / "lists" / "PACS_DG" / f"{name}.txt").read_text().splitlines():
            path, label = line.rsplit(" ", 1)
            image = pixels(Image.open(tree / "data" / path).convert("RGB"))
            row = image.reshape(3, 8, 8, 8, 8).mean(axis=(2, 4)).ravel().astype(np.float64)
            own.append((int(label), row / np.linalg.norm(row)))
    classes = sorted({label for label, _ in sides["no_Photo"]})
    assert classes[0] == LABELS_FROM
    means = np.stack([np.mean([r for label, r in sides["no_Photo"] if label == c], axis=0) for c in classes])
    cosines = np.stack([r for _, r in sides["Photo"]]) @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    labels = np.array([label for label, _ in sides["Photo"]])
    novelty, known = -cosines.max(axis=1), np.isin(labels, classes)
    found = {row["method"]: row for row in report["rows"]}
    assert set(found) == {f"{a}, {b}" for a in ("cosine", "whitened, of base") for b in ("prototypes", "neighbors (1)")}
    right = np.array(classes)[cosines.argmax(axis=1)] == labels
    assert found["cosine, prototypes"]["accuracy"] == pytest.approx(right[known].mean())
    each = np.stack([r for _, r in sides["Photo"]]) @ np.stack([r for _, r in sides["no_Photo"]]).T
    for method, own in {"cosine, prototypes": novelty, "cosine, neighbors (1)": -each.max(axis=1)}.items():
        for metric, value in by_hand(own[known], own[~known]).items():
            assert found[method][metric] == pytest.approx(value, abs=1e-9), (method, metric)


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--dataset", "DTD"], "needs --data-root"),
        (["--data-root", "tests", "--dataset", "DTD"], "--dataset DTD needs --lists"),
        (["--data-root", "tests", "--lists", "tests", "--unknown", "cat"], "--unknown and --lists are given together"),
        (["--unknown", "cat"], "needs --data-root"),
        (["--data-root", "tests/benchmarks"], "expected two domains or more"),
        (["--nnk", "0"], "--nnk is 0"),
        (["--encoder", "x", "--checkpoint", "."], "--checkpoint and --encoder are given together"),
        (["--target", "Moon"], "PACS_DG has no setting"),
        (["--encoder", "resnet1000"], "timm has no network 'resnet1000'"),
    ],
)
def test_commands_that_cannot_be(
    argv: list[str], said: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(command, "generated", lambda _: tree)
    assert command.main([*argv, "--out", str(tmp_path), "--no-cache", "--quiet"]) == 1
    assert said in capsys.readouterr().err


def test_a_trained_system_is_read_again_and_no_other(tmp_path: Path) -> None:
    made = of_network(new_network("test_resnet"), "test_resnet", 32)
    relation = Relation(RelationSizes(made.dim, 16, 1, 2)).initialize()
    similarity = RelationSimilarity(relation.eval().requires_grad_(False), np.zeros(made.dim), raw=True)
    save_system(tmp_path, Comparator.of(similarity, made.identity), made.network, "test_resnet", 32)
    comparator, images = read_system(tmp_path)
    image = Image.new("RGB", (40, 30), "red")
    assert (images.encode([image]) == made.encode([image])).all() and comparator.identity == images.identity
    other = new_network("test_resnet", seed=1)
    save_system(tmp_path, Comparator.of(similarity, made.identity), other, "test_resnet", 32)
    with pytest.raises(WeightsError, match="was trained with"):
        read_system(tmp_path)


def test_images_of_a_step_depend_on_seed_process_and_step(tree: Path) -> None:
    images, _ = read_list(tree / "lists" / "ImageNet" / "train.txt", tree / "data")
    recipe = ImageRecipe(steps=3, pairs=4, negatives=1, side=16)
    steps, other = (Steps(images, recipe, ((0.5,) * 3, (0.5,) * 3), (rank, 2)) for rank in (0, 1))
    a, b, different = steps[1]
    assert a.shape == b.shape == (2, 3, 16, 16) and different.tolist() == [False, True]
    assert torch.equal(a, steps[1][0]) and not torch.equal(a, steps[2][0]) and not torch.equal(a, other[1][0])
    with pytest.raises(InputError, match="--pairs is 4 for 4 processes"):
        Steps(images, recipe, ((0.5,) * 3, (0.5,) * 3), (0, 4))
    rates = [published().rate_at(step) for step in (0, 499, 500, 12_999)]
    assert rates == pytest.approx([0.008 / 500, 0.008, 0.008, 0.008])


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_end(tree: Path, tmp_path: Path) -> None:
    images, _ = read_list(tree / "lists" / "ImageNet" / "train.txt", tree / "data")
    recipe = ImageRecipe(steps=104, pairs=4, negatives=1, side=32, depth=1, width=16, heads=2)

    class StoppedError(Exception): ...

    def stop(now: Any) -> None:
        if now.step == 102:
            raise StoppedError

    def trained(name: str, report: Any = None) -> dict[str, np.ndarray]:
        # so short a training learns nothing
        expected, said = (StoppedError, None) if report else (InputError, "collapsed")
        with pytest.raises(expected, match=said):
            train_system(images, new_network("test_resnet"), "test_resnet", recipe, tmp_path / name, report=report)
        return load_file(tmp_path / name / "training.safetensors")

    trained("part", stop)
    part, whole = trained("part"), trained("whole")
    assert part.keys() == whole.keys() and all((part[key] == whole[key]).all() for key in whole)


def test_training_needs_no_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--list", str(tmp_path / "none.txt"), "--data-root", str(tmp_path), "--out", str(tmp_path)]
    for more, said in ((), "cannot read the list"), (("--seed", "-1"), "seed is -1"):
        assert training.main([*argv, *more]) == 1
        assert said in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes(tree: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    argv += ["benchmarks", "resend_train", "--list", str(tree / "lists" / "ImageNet" / "train.txt"), "--data-root"]
    argv += [str(tree / "data"), "--encoder", "test_resnet", "--untrained", "--steps", "3", "--pairs", "8"]
    argv += ["--negatives", "1", "--side", "32", "--out", str(tmp_path), "--device", "cpu", "--lars"]
    argv += ["--log-file", str(tmp_path / "log.jsonl")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 processes" in done.stderr and read_system(tmp_path)[0].card["processes"] == 2
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3] and {line["processes"] for line in lines} == {2}


def test_options_of_a_training_take_numbers_and_are_of_images(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        training.main(["--help"])
    told = capsys.readouterr().out
    assert "--steps INT" in told and "--rate FLOAT" in told
    assert not any(name in told for name in ("NONETYPE", "--whiten", "--turned"))
