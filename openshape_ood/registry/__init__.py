r"""The registry: which encoders there are, and every number and file that tells them apart.

Rows come from the packaged `checkpoints.toml`, whose head says what their fields are, and from a file of one's own,
given as `registry=` or by the environment variable OPENSHAPE_OOD_CHECKPOINTS. That file extends the packaged one: its
rows are added, and one with the name of a packaged row replaces it. A row of one's own, of a new architecture:

    [mine]
    kind = "shape"  # the default; "points", "comparator", "completion"
    architecture = "toy-vit"
    licence = "MIT"
    sizes = { width = 512, depth = 12 }  # fields of the dataclass ToySizes
    source = { file = "model.pt" }  # beside this file, or an absolute path
    # source = { url = "https://example.org/model.pt", sha256 = "..." }
    # source = { repo = "lab/model", file = "model.pt", revision = "main", sha256 = "..." }
    keys = { inside = "state_dict", prefix = "module.", drop = ['head\.'], rename = [['^blocks\.', 'layers.']] }
    text = { kind = "open_clip", model = "ViT-B-32-quickgelu", pretrained = "openai", templates = "", average = "mean" }
    spec = { count = 10000, up = "y", color = 0.4 }

Where no sha256 is given, that of the first use is recorded in the cache folder, and any other content is refused from
then on. The architecture is registered before the row is read:

    ARCHITECTURES["toy-vit"] = Architecture(ToySizes, ToyViT)

with `ToyViT(sizes)` a `torch.nn.Module` as `encoders.protocols.Network` describes it. A comparator, as
`openshape-ood comparator fit` writes it, has kind, encoder, licence and source. Reading the registry needs no torch.
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
