"""RelevancyEncoder: relevancy of names at each pixel of an image."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import check_seed
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.encoders.text.encoder import clean_names, find_templates
from openshape_ood.encoders.text.open_clip import ClipModel
from openshape_ood.errors import InputError
from openshape_ood.storage import ArrayStore, own_folder
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.relevancy import tiling
from openshape_ood.views.relevancy.loading import MEAN, STD, clip_tokenizer, load_clip
from openshape_ood.views.relevancy.tiling import Preset

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# common surfaces, whose mean relevancy is subtracted
BACKGROUND = ("wall", "floor", "ceiling", "furniture", "object", "background")
SCALE = 50.0  # scales relevancies to about -1 to 1
MOST_BYTES = 1 << 32  # maximum bytes of an image's affinities
HELD = 1 << 24  # elements of tile maps per block: 64 MiB
Step = Callable[[int, int], None]


class RelevancyEncoder:
    """Relevancy of names in images, by a CLIP with a vision transformer.

    Attributes
    ----------
    templates : tuple of str
        Sentences with a placeholder {} for the name.
    blocks : range
        Blocks whose attention is used.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        name: str = "open_clip",
        templates: str | Sequence[str] = "semantic_abstraction",
        first_block: int | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        device: str | torch.device | None = None,
        cache: bool = True,
    ) -> None:
        """Create from a loaded model.

        Parameters
        ----------
        model : open_clip.CLIP or open_clip.CustomTextCLIP
            Model in evaluation mode; its image encoder is a square ViT with a class token. It is moved to `device`, in
            single precision.
        tokenizer : optional
            Tokenizer as in open_clip. Default: CLIP's.
        name : str
            Name of the model, for provenance.
        templates : str or sequence of str
            Name of a list in templates.toml, "" for the bare name, or sentences with one {} each.
        first_block : int, optional
            First block, from 0, of the attention rollout. Default: only the last block, which is many times as fast.
        mean, std : three numbers each
            Normalization of colors in [0, 1].
        device : str or torch.device, optional
            Default: CUDA, then MPS, then the CPU.
        cache : bool
            Cache relevancies on disk.

        Raises
        ------
        InputError
            For another kind of model, and invalid values.
        """
        from openshape_ood.encoders.devices import find_device
        from openshape_ood.views.relevancy.attention import Tower

        self._tower, self._device = Tower.of(model, first_block), find_device(device)
        self.templates, self.blocks, self._name = find_templates(templates), self._tower.blocks, name
        self._model, self._mean, self._std = model.to(self._device).float(), tuple(mean), tuple(std)
        tokens = tokenizer or clip_tokenizer(model.context_length)
        self._text: Any = ClipModel(_Text(model), tokens, self._device, "float32")
        self._cache = cache

    @classmethod
    def from_pretrained(
        cls,
        model: str = "ViT-B-32",
        pretrained: str = "openai",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> RelevancyEncoder:
        """Load an open_clip model, downloaded if necessary.

        Parameters
        ----------
        model, pretrained : str
            Names of open_clip. The network gets the activation function that the weights were trained with.
        checkpoint : path, optional
            File of weights in place of the Hub's (.safetensors, .pt or .bin).
        **settings
            templates, first_block, device and cache, as in the constructor.

        Raises
        ------
        InputError
            For an unknown model or weights, and a model without ViT.
        CheckpointError
            For weights that cannot be fetched or used.
        """
        network, tokenizer, name, mean, std = load_clip(model, pretrained, checkpoint)
        return cls(network, tokenizer, name=name, mean=mean, std=std, **settings)

    @cached_property
    def identity(self) -> Identity:
        """Identity of the model, with a hash of its architecture and weights."""
        digest = hashlib.sha256(repr(self._model).encode())  # contains the activation
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return Identity(self._name, self._name, digest.hexdigest())

    def encode_image(
        self,
        rgb: Any,
        names: Sequence[str],
        *,
        preset: str | Preset = "ours",
        legacy: bool = False,
        background: Sequence[str] | None = None,
        seed: int = 0,
        progress: bool | Step = False,
    ) -> Affinities:
        """Relevancy map of each name in an image. A name's map does not depend on the other names.

        Parameters
        ----------
        rgb : array (h, w, 3)
            Numbers in [0, 1], or uint8; gray (h, w) becomes rgb, transparent pixels of (h, w, 4) are blended with
            white. Minimum side: 16 pixels.
        names : sequence of k str
        preset : str or Preset
            "ours", from the paper: four scales, five copies with jittered colors, mirrored tiles. "chefer_et_al": one
            scale. "quick": four scales only, a twelfth of the work of "ours".
        legacy : bool
            Published behavior without corrections, see `Preset.legacy`.
        background : sequence of str, optional
            Names whose mean relevancy is subtracted; empty for none. Default: `BACKGROUND`; with `legacy`, `names`.
        seed : int
            Seed of the color jitter.
        progress : bool or function
            True shows a bar. A function is called with the number of finished batches and the number of all batches of
            tiles. The total includes the batches of every block of names.

        Returns
        -------
        Affinities
            Values (k, h, w): relevancy minus the mean relevancy of the background, times 50.

        Raises
        ------
        InputError
            For an invalid image or setting, and if the result would exceed 4 GiB.
        ClassNamesError
            For no, blank, repeated or too long names.
        """
        picture, wanted = tiling.as_picture(rgb), clean_names(names)
        chosen, shape = tiling.find_preset(preset, legacy), picture.shape[:2]
        if 4 * len(wanted) * shape[0] * shape[1] > MOST_BYTES:
            raise InputError(
                f"{len(wanted)} names at {shape[1]} x {shape[0]} pixels would take more than 4 GiB. Expected less. "
                "Give fewer names at once, or a smaller image."
            )
        if background is None:
            behind = wanted if chosen.legacy else list(BACKGROUND)
        else:
            behind = clean_names(background) if len(background) else []
        # background first, because the last digits of its sum depend on the order
        words = list(dict.fromkeys([*behind, *wanted]))
        values, mean = np.empty((len(wanted), *shape), dtype=np.float32), np.zeros(shape)
        place, subtracted = {name: i for i, name in enumerate(wanted)}, set(behind)
        for name, heat in self._maps(picture, words, chosen, check_seed(seed), progress):
            if name in place:
                values[place[name]] = heat
            if name in subtracted:
                mean += heat
        values -= (mean / max(1, len(behind))).astype(np.float32)
        values *= SCALE
        provenance = Provenance(self.identity, "relevancy", up="", seed=seed, version=__version__)
        return Affinities(values, tuple(wanted), provenance, rgb=picture)

    def encode_text(self, names: Sequence[str], *, legacy: bool = False) -> np.ndarray:
        """Vectors (k, d) of names: means over the sentences of each name, normalized unless `legacy`."""
        sentences = [[one.replace("{}", name) for one in self.templates] for name in clean_names(names)]
        return np.stack([average(self._text.embed(some), legacy) for some in sentences])

    def _maps(
        self, picture: np.ndarray, words: list[str], preset: Preset, seed: int, progress: bool | Step
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each name, background included, with its map (h, w). Works in blocks of names, to limit the memory."""
        import torch
        from tqdm import tqdm

        (h, w), grid = picture.shape[:2], self._tower.grid
        tiles = tiling.cut(h, w, preset)
        numbers = len(tiles) * grid**2
        store = ArrayStore(own_folder("relevancy"), numbers) if self._cache and numbers else None
        image = hashlib.sha256(picture.tobytes()).hexdigest()
        how = [*astuple(preset), seed if preset.jitters else 0, self.blocks.start]
        about = [1, image, picture.shape, self.identity.sha256, [*how, self.templates, self._mean, self._std]]
        at_once = max(1, HELD // max(1, numbers))
        blocks = [words[i : i + at_once] for i in range(0, len(words), at_once)]
        batches = (preset.jitters + 1) * -(-len(tiles) // self._tower.batch)
        steps, of = count(1), len(blocks) * batches
        bar = tqdm(total=of, desc="tiles", disable=progress is not True)

        def passed() -> None:
            bar.update()
            if callable(progress):
                progress(next(steps), of)
            if bar.n == of:
                bar.close()

        for block in blocks:
            keys = {word: json.dumps([*about, word]) for word in block}
            stored = {word: None if store is None else store.get(keys[word]) for word in block}
            if missing := [word for word, one in stored.items() if one is None]:
                computed = self._compute(picture, tiles, missing, preset, seed, passed)
                for word, one in zip(missing, computed, strict=True):
                    stored[word] = values = one.numpy().reshape(-1)
                    if store is not None:
                        store.put(keys[word], values)
            else:
                for _ in range(batches):
                    passed()
            for word, one in stored.items():
                maps = torch.from_numpy(np.asarray(one)).reshape(1, len(tiles), grid, grid)
                yield word, tiling.paste(maps, tiles, (h, w), preset)[0].numpy()

    def _compute(
        self,
        picture: np.ndarray,
        tiles: np.ndarray,
        words: list[str],
        preset: Preset,
        seed: int,
        passed: Callable[[], None],
    ) -> Tensor:
        """Maps of the tiles (k, t, g, g) on the CPU, averaged over jittered and mirrored copies."""
        import torch

        from openshape_ood.encoders.devices import exact

        ways = (False, True) if preset.flip else (False,)
        grid, batch, copies = self._tower.grid, self._tower.batch, preset.jitters + 1
        total = torch.zeros(len(words), len(tiles), grid, grid)
        with exact(self._device):
            # one by one, because `encode_text` refuses "Wall" and "wall" in one call
            vectors = [self.encode_text([word], legacy=bool(preset.legacy)) for word in words]
            text = torch.from_numpy(np.concatenate(vectors)).to(self._device)
            for copy in tiling.jittered(picture, preset.jitters, seed):
                for i in range(0, len(tiles), batch):
                    images = self.normalized(tiling.pixels(copy, tiles[i : i + batch], self._tower.side))
                    for mirrored in ways:
                        heat = self._tower.relevancy(images.flip(-1) if mirrored else images, text).cpu()
                        total[:, i : i + batch] += heat.flip(-1) if mirrored else heat
                    passed()
        return total / (copies * len(ways))

    def normalized(self, images: np.ndarray) -> Tensor:
        """Network input of images (b, 3, s, s) uint8."""
        import torch

        mean, std = (torch.tensor(three).reshape(3, 1, 1) for three in (self._mean, self._std))
        return ((torch.from_numpy(images).float() / 255 - mean) / std).to(self._device)

    def __repr__(self) -> str:
        return f"RelevancyEncoder({self._name!r}, blocks={self.blocks}, templates={self.templates})"


def average(sentences: np.ndarray, legacy: bool) -> np.ndarray:
    """Mean direction (d,) of embeddings (t, d), normalized unless `legacy`."""
    directions = sentences / np.linalg.norm(sentences, axis=1, keepdims=True)
    mean = directions.mean(axis=0)
    return mean if legacy else mean / np.linalg.norm(mean)


class _Text:
    """Text encoder of a model, for `ClipModel`."""

    def __init__(self, model: Any) -> None:
        self._model, self.context_length = model, model.context_length
        self.output_dim = model.visual.output_dim

    def __call__(self, tokens: Tensor) -> Tensor:
        return self._model.encode_text(tokens)
