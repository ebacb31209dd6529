"""Limits for a visitor of the page: bytes, points, seconds, names, examples, slots."""

from __future__ import annotations

MAX_FILE_MB = 100  # of an upload
MAX_FILES = 50  # per drop, and for calibration
MAX_POINTS = 20_000  # of a cloud; larger clouds are thinned at random
MAX_ROOM_POINTS = 300_000  # of a scan of a room, or of a surface
MAX_GOOD_POINTS = 1_000_000  # of all good surfaces together
MAX_VIEW_PIXELS = 500_000  # of an image with depth
READ_SECONDS = 10.0  # for reading an upload, plus the same for each MB; then its process is killed
READ_SECONDS_A_MB = 0.3
ROOM_SECONDS = 60.0  # the same for a surface, or for a scan of a room with its search for objects
READ_MEMORY = 3 * 2**30  # bytes of address space of the reading process, libraries included
READERS = 3  # parallel reads, one a visitor; others wait
SCORERS = 2  # parallel scorings, one a visitor
WAIT_SECONDS = 120.0  # for one of these slots
MAX_CLASSES = 50
MAX_NAME = 60  # characters of a class name
MAX_EXAMPLES = 60  # of one visitor
EXAMPLE_POINTS = 10_000  # of an example; no encoder takes more
VISITS = 100  # sessions that are remembered
VISITS_BYTES = 2 * 2**30  # of all clouds
QUEUE = 64  # waiting requests; others are refused
REQUEST_BYTES = 2**20  # of a request other than an upload
WINDOW_SECONDS = 600.0  # window for counting the uploads of an address
UPLOADS = 500  # files of one address in this window
UPLOADS_OF_LARGEST = 10  # their total size, in files of the largest size
DISC_OF_LARGEST = 40  # the same for all addresses
