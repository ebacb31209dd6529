"""Pictures of runs, of thresholds, of novelty maps; all in the library's colors."""

from openshape_ood.novelty_map.colors import AMBER, BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY

__all__ = ["AMBER", "BLACK", "BLUE", "GREEN", "ORANGE", "PURPLE", "SKY"]
