"""The categories and names that `tiny` is trained with: `python -m benchmarks.training.vocabulary` lists them."""

from __future__ import annotations

from openshape_ood.synthetic import categories, synonyms

# categories outside the training of `tiny`
UNSEEN = ("bicycle", "headphones", "ladder", "skateboard", "teapot", "umbrella")


def trained_categories() -> list[str]:
    return [c for c in categories() if c not in UNSEEN]


def trained_names() -> list[str]:
    """All names that `tiny` was trained with: categories and their synonyms."""
    return [name for c in trained_categories() for name in (c, *synonyms(c))]


if __name__ == "__main__":
    for category in trained_categories():
        print(f"- **{category}**: {', '.join(synonyms(category))}")
