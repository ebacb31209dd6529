"""A parser of LAS files that does what a file says: it is found before the real one, also by child processes."""

from __future__ import annotations

from pathlib import Path

LASPY = """
import os, re, signal, sys, time

class LazBackend:
    Lazrs = None

def open(stream, **_):
    what = stream.read()[227:].decode()
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "leave":
        os._exit(3)
    if what == "hang":
        time.sleep(60)
    if what == "hold":
        os.makedirs(os.path.join(os.path.dirname(__file__), "held"), exist_ok=True)
        re.match("(a+)+$", "a" * 60 + "b")  # in C code that lets no other thread run
    if what == "grow":
        bytearray(2 ** 33)
    if what == "open":
        os.close(os.open("/etc/hostname", os.O_RDONLY))
    if what == "leap":
        raise KeyboardInterrupt("as no parser should")
    if what == "nap":
        time.sleep(0.3)
    if what == "print":
        os.write(1, b"noise")
    if what == "memory":
        raise MemoryError
    raise ValueError("misbehaved: " + what)
"""


def write_parser(folder: Path) -> Path:
    """The folder of the parser; beside it .las files whose reading kills the process, ends it, takes for ever, ..."""
    parser = folder / "parser"
    parser.mkdir()
    (parser / "laspy.py").write_text(LASPY, encoding="utf-8")
    for what in ("die", "leave", "hang", "hold", "grow", "open", "leap", "nap", "print", "memory"):
        write_las(folder, what)
    return parser


def write_las(folder: Path, what: str) -> Path:
    path = folder / f"{what}.las"
    path.write_bytes(b"LASF" + bytes(223) + what.encode())
    return path
