"""Limits for visitors of the page: bytes, points, seconds, names, examples, slots."""

from __future__ import annotations

MAX_FILE_MB = 100  # size of an uploaded file
MAX_FILES = 50  # files per drop, also for calibration
MAX_POINTS = 20_000  # points of a cloud; larger clouds are thinned at random
MAX_ROOM_POINTS = 300_000  # points of a scan of a room, or of a surface
MAX_GOOD_POINTS = 1_000_000  # points of all good surfaces together
MAX_VIEW_PIXELS = 500_000  # pixels of an image with depth
READ_SECONDS = 10.0  # base of the time limit for reading an upload
READ_SECONDS_A_MB = 0.3  # added to this time limit for each MB
ROOM_SECONDS = 60.0  # replaces READ_SECONDS for surfaces and for scans of rooms; includes the search for objects
READ_MEMORY = 3 * 2**30  # bytes of address space of the reading process, including libraries
READERS = 3  # parallel reading processes, at most one per visitor
SCORERS = 2  # parallel scorings, at most one per visitor
WAIT_SECONDS = 120.0  # maximum wait for a slot to read or to score
MAX_CLASSES = 50  # known classes of a visitor
MAX_NAME = 60  # characters of a class name
MAX_EXAMPLES = 60  # examples of a visitor
EXAMPLE_POINTS = 10_000  # maximum points of an example; no encoder uses more
VISITS = 100  # stored sessions
VISITS_BYTES = 2 * 2**30  # bytes of the clouds in all sessions
QUEUE = 64  # waiting requests; further requests are refused
REQUEST_BYTES = 2**20  # bytes of a request other than an upload
WINDOW_SECONDS = 600.0  # window for counting the uploads of an address
UPLOADS = 500  # files of an address within the window
UPLOADS_OF_LARGEST = 10  # total size of an address's uploads within the window, in units of the largest file size
DISC_OF_LARGEST = 40  # the same for all addresses together
