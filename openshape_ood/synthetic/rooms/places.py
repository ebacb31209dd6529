"""Place of each category in a room, and its materials."""

from __future__ import annotations

from typing import Literal

Place = Literal["wall", "floor", "seat", "top", "soft"]

# wall: back against a wall; floor: anywhere, any direction; seat: mostly at a table if there is one, else anywhere;
# top: on a table or similar; soft: on a bed or sofa; both else on the floor, if the object is high or foreign
PLACES: dict[str, Place] = {
    **dict.fromkeys(("bathtub", "bed", "bench", "bookshelf", "cabinet", "curtain", "desk", "door", "dresser"), "wall"),
    **dict.fromkeys(("night stand", "piano", "refrigerator", "sink", "sofa", "stove", "toilet", "tv stand"), "wall"),
    **dict.fromkeys(("wardrobe", "washing machine", "ladder", "guitar"), "wall"),
    **dict.fromkeys(("chair", "stool"), "seat"),
    **dict.fromkeys(("bottle", "bowl", "camera", "clock", "cup", "headphones", "keyboard", "lamp", "laptop"), "top"),
    **dict.fromkeys(("microwave", "monitor", "printer", "tablet", "teapot", "vase", "banana", "hat", "drill"), "top"),
    **dict.fromkeys(("hammer", "knife", "scissors"), "top"),
    "pillow": "soft",
}  # all others: floor
SUPPORTS = ("table", "desk", "cabinet", "dresser", "night stand", "tv stand", "bookshelf", "washing machine")
SOFT_SUPPORTS = ("bed", "sofa")
TABLES = ("table", "desk")

FURNITURE = (
    *("bathtub", "bed", "bench", "bin", "bookshelf", "bottle", "bowl", "box", "cabinet", "chair", "curtain", "desk"),
    *("dresser", "fan", "keyboard", "lamp", "laptop", "microwave", "monitor", "night stand", "ottoman", "piano"),
    *("pillow", "plant", "printer", "refrigerator", "sink", "sofa", "stool", "stove", "table", "toilet", "tv stand"),
    *("vase", "wardrobe", "washing machine"),
)
"""Default furniture of `room`."""

# red, green and blue of the tones of each material; a room has two of the tones, shared by all of its objects
TONES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "wood": ((0.55, 0.38, 0.22), (0.72, 0.55, 0.36), (0.35, 0.22, 0.14), (0.83, 0.72, 0.55)),
    "lacquer": ((0.93, 0.92, 0.89), (0.78, 0.78, 0.76), (0.25, 0.26, 0.28)),
    "fabric": ((0.35, 0.4, 0.5), (0.6, 0.55, 0.48), (0.5, 0.28, 0.26), (0.3, 0.32, 0.3), (0.8, 0.77, 0.7)),
    "metal": ((0.6, 0.61, 0.63), (0.32, 0.33, 0.35)),
    "plastic": ((0.15, 0.15, 0.16), (0.88, 0.88, 0.87), (0.25, 0.4, 0.6), (0.65, 0.2, 0.17)),
    "ceramic": ((0.94, 0.94, 0.92), (0.7, 0.62, 0.52), (0.4, 0.5, 0.58)),
    "leaf": ((0.22, 0.42, 0.18), (0.35, 0.5, 0.25)),
    "paint": ((0.92, 0.9, 0.86), (0.82, 0.85, 0.86), (0.86, 0.8, 0.7)),
    "boards": ((0.62, 0.46, 0.3), (0.5, 0.48, 0.45), (0.7, 0.62, 0.52)),
}
_MADE_OF: dict[tuple[str, ...], tuple[str, ...]] = {
    ("wood", "fabric"): ("chair", "bed", "stool", "bench"),
    ("fabric", "wood"): ("sofa", "ottoman", "pillow", "curtain"),
    ("wood", "lacquer"): ("table", "desk", "bookshelf", "cabinet", "dresser", "night stand", "tv stand", "wardrobe"),
    ("wood", "metal"): ("door", "piano", "guitar", "hammer"),
    ("ceramic", "metal"): ("bathtub", "sink", "toilet"),
    ("lacquer", "metal"): ("refrigerator", "stove", "washing machine", "microwave"),
    ("ceramic", "plastic"): ("bottle", "bowl", "cup", "teapot", "vase"),
    ("leaf", "ceramic"): ("plant", "tree"),
    ("metal", "fabric"): ("lamp", "umbrella"),
    ("metal", "plastic"): ("bicycle", "ladder", "dumbbell", "scissors", "knife", "drill"),
}
MATERIALS = {name: of for of, each in _MADE_OF.items() for name in each}
USUAL_MATERIALS = ("plastic", "metal")


def place_of(category: str) -> Place:
    return PLACES.get(category, "floor")
