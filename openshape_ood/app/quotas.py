"""What a visitor of the page may ask for: bytes, points, seconds, names, examples."""

from __future__ import annotations

MAX_FILE_MB = 100  # of an upload
MAX_POINTS = 20_000  # kept of a cloud; more are thinned at random
READ_SECONDS = 60  # for reading one upload, after which its process is killed
READ_MEMORY = 3 * 2**30  # bytes of address space of that process, its libraries included
READERS = 2  # uploads read at the same time; others wait
WAIT_SECONDS = 120  # for one of them to end
MAX_CLASSES = 50
MAX_NAME = 60  # characters of a class name
MAX_EXAMPLES = 60  # added by one visitor
EXAMPLE_POINTS = 10_000  # kept of an example; no encoder takes more
SESSIONS = 50  # visitors whose examples are remembered; the longest unseen is forgotten first
QUEUE = 32  # requests waiting; others are turned away
