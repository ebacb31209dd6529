"""Limits of a visitor of the page: bytes, points, seconds, names, examples, places."""

from __future__ import annotations

MAX_FILE_MB = 100  # of an upload
MAX_FILES = 50  # dropped at once, and of calibration
MAX_POINTS = 20_000  # kept of a cloud; more are thinned at random
MAX_ROOM_POINTS = 300_000  # kept of a scan of a room, or of a surface
MAX_GOOD_POINTS = 1_000_000  # of all surfaces together that are given as good
MAX_VIEW_PIXELS = 500_000  # of a picture with depth
READ_SECONDS = 10.0  # for reading one upload, after which its process is killed; and for every MB of it
READ_SECONDS_A_MB = 0.3
ROOM_SECONDS = 60.0  # the same for a surface, or a scan of a room, in which that process also finds the objects
READ_MEMORY = 3 * 2**30  # bytes of address space of that process, its libraries included
READERS = 3  # uploads read at the same time, one a visitor; others wait
SCORERS = 2  # sets of shapes scored at the same time, one a visitor
WAIT_SECONDS = 120.0  # for a place among these
MAX_CLASSES = 50
MAX_NAME = 60  # characters of a class name
MAX_EXAMPLES = 60  # added by one visitor
EXAMPLE_POINTS = 10_000  # kept of an example; no encoder takes more
VISITS = 100  # visitors whose shapes, examples and calibration are remembered
VISITS_BYTES = 2 * 2**30  # of clouds, together
QUEUE = 64  # requests waiting; others are turned away
REQUEST_BYTES = 2**20  # of a request that is no upload
WINDOW_SECONDS = 600.0  # in which uploads of one address are counted
UPLOADS = 500  # files of one address in that time
UPLOADS_OF_LARGEST = 10  # and its bytes, in files of the largest size
DISC_OF_LARGEST = 40  # the same of all addresses
