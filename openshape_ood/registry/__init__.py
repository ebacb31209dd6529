r"""The registry: which encoders there are, and every number and file that tells them apart.

Rows come from the packaged `checkpoints.toml`, and from a file of one's own, given as `registry=` or by the
environment variable OPENSHAPE_OOD_CHECKPOINTS. That file extends the packaged one: its rows are added, and one with
the name of a packaged row replaces it. Reading the registry needs no torch.

A row of one's own, with any of four sources; what is commented out is optional:

    [mine]
    kind = "shape"                      # the default
    architecture = "pointbert"          # a key of ARCHITECTURES
    licence = "MIT"
    sizes = { width = 512, depth = 12, ... }
    source = { file = "model.pt" }      # beside this file, or an absolute path
    # source = { url = "https://example.org/model.pt", sha256 = "..." }
    # source = { repo = "lab/model", file = "model.pt", revision = "main", sha256 = "..." }
    keys = { inside = "state_dict", prefix = "module." }
    # keys: drop = ['head\.'], rename = [['^blocks\.', 'layers.']],
    #       merge = [["*.q.weight", "*.k.weight", "*.v.weight", "*.qkv.weight"]]
    text = { kind = "open_clip", model = "ViT-B-32-quickgelu", pretrained = "openai", templates = "", average = "mean" }
    spec = { count = 10000, up = "y", color = 0.4 }

A comparator of one's own has four fields, as `openshape-ood comparator fit` writes them:

    [mine-comparator]
    kind = "comparator"
    encoder = "mine"
    licence = "MIT"
    source = { file = "comparator.safetensors" }

Where no sha256 is given, that of the first use is recorded in the cache folder, and any other content is refused from
then on. An architecture of one's own is one line before the row is read:

    ARCHITECTURES["toy-vit"] = Architecture(ToySizes, ToyViT)

with `ToySizes` a dataclass and `ToyViT(sizes)` a `torch.nn.Module` as `encoders.protocols.Network` describes it.
"""

from openshape_ood.registry.architectures import ARCHITECTURES as ARCHITECTURES
from openshape_ood.registry.architectures import Architecture as Architecture
from openshape_ood.registry.rows import Row as Row
from openshape_ood.registry.rows import find_checkpoint as find_checkpoint
from openshape_ood.registry.rows import is_registered as is_registered
from openshape_ood.registry.rows import list_checkpoints as list_checkpoints
from openshape_ood.registry.rows import load_registry as load_registry

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Row",
    "find_checkpoint",
    "is_registered",
    "list_checkpoints",
    "load_registry",
]
