"""The words that NegLabel takes from the generated categories, held as a file of the library."""

from __future__ import annotations

from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.synthetic import categories, synonyms


def test_the_file_holds_the_generated_categories_and_two_synonyms_of_each() -> None:
    assert negative_words() == tuple(sorted({word for name in categories() for word in (name, *synonyms(name)[:2])}))
