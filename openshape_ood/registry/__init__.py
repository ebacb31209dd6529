r"""Registry of encoders: their sizes, files and settings.

Rows come from the packaged `checkpoints.toml`, which describes the fields at its top. You can add a registry of your
own with `registry=` or the environment variable OPENSHAPE_OOD_CHECKPOINTS. It extends the packaged registry; a row with
the name of a packaged row replaces it. Example of a row with a new architecture:

    [mine]
    kind = "shape"  # the default; "points", "comparator", "completion"
    architecture = "toy-vit"
    licence = "MIT"
    sizes = { width = 512, depth = 12 }  # fields of the dataclass ToySizes
    source = { file = "model.pt" }  # relative to this file, or an absolute path
    # source = { url = "https://example.org/model.pt", sha256 = "..." }
    # source = { repo = "lab/model", file = "model.pt", revision = "main", sha256 = "..." }
    keys = { inside = "state_dict", prefix = "module.", drop = ['head\.'], rename = [['^blocks\.', 'layers.']] }
    text = { kind = "open_clip", model = "ViT-B-32-quickgelu", pretrained = "openai", templates = "", average = "mean" }
    spec = { count = 10000, up = "y", color = 0.4 }

If a row has no sha256, the hash of the first file is recorded in the cache folder. From then on, a file with another
hash is refused. Register the architecture before the row is read:

    ARCHITECTURES["toy-vit"] = Architecture(ToySizes, ToyViT)

`ToyViT(sizes)` is a `torch.nn.Module` that implements `encoders.protocols.Network`. `openshape-ood comparator fit`
writes rows of kind "comparator", with encoder, licence and source. Reading the registry needs no torch.
"""

from openshape_ood.registry.architectures import ARCHITECTURES as ARCHITECTURES
from openshape_ood.registry.architectures import Architecture as Architecture
from openshape_ood.registry.names import find_checkpoint as find_checkpoint
from openshape_ood.registry.names import is_registered as is_registered
from openshape_ood.registry.rows import Row as Row
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
