"""Convert a network of `train_small` to half precision, as packaged, and print its sha256 and size.

python -m benchmarks.training.small_package small.safetensors --out openshape_ood/registry/small/encoder.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from openshape_ood.registry.files import sha256
from openshape_ood.storage import replacing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.small_package", description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with safe_open(args.network, "pt") as file:
        metadata, held = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    state = {key: value.half() if value.dtype == torch.float32 else value for key, value in held.items()}
    with replacing(args.out) as partial:
        save_file(state, partial, metadata=metadata)
    parameters = sum(value.numel() for key, value in state.items() if "running" not in key and "tracked" not in key)
    print(f"{args.out}: {parameters:,} parameters, {args.out.stat().st_size:,} bytes, sha256 {sha256(args.out)}")


if __name__ == "__main__":
    main()
