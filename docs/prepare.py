"""Write the pages of the site to build/docs, for any generator that reads mkdocs.yml.

    python docs/prepare.py

A page that says `<!-- include: PATH -->` becomes that file of the checkout. Its links lead to pages; a file without a
page, such as a table of TOML, is named only. Notebooks become Markdown with their outputs. Pictures of
benchmarks are copied. Plugins and hooks would do the same for one generator alone.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TARGET = ROOT / "build" / "docs"
ASSETS = {".css", ".png", ".svg", ".js"}
INCLUDE = re.compile(r"<!-- include: (\S+) -->\s*")
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)")
NOTEBOOK = re.compile(r"(\]\([^)\s:]+)\.ipynb\b")
PICTURE = re.compile(r"(!\[[^\]]*\]\()([^)\s:]+)\)")
STYLE = re.compile(r"<style\b.*?</style>\s*", re.DOTALL)  # of tables, which the site has a style for


def page_of() -> dict[str, str]:
    """File of the checkout -> its page."""
    pages = {"README.md": "index.md", "openshape_ood/errors.py": "api/errors.md"}
    for page in DOCS.rglob("*.md"):
        pages[source_of(page).relative_to(ROOT).as_posix()] = page.relative_to(DOCS).as_posix()
    return pages


def source_of(page: Path) -> Path:
    """The file that holds the text of a page."""
    found = INCLUDE.fullmatch(page.read_text(encoding="utf-8"))
    return ROOT / found[1] if found else page


def markdown(page: Path, pages: dict[str, str]) -> str:
    """Text of a page, with what it includes."""
    source = source_of(page)
    text = source.read_text(encoding="utf-8")
    if source != page:
        folder, here = source.parent.relative_to(ROOT).as_posix(), page.parent.relative_to(DOCS).as_posix()

        def link(match: re.Match[str]) -> str:
            words, path, anchor = match[1], posixpath.normpath(posixpath.join(folder, match[2])), match[3] or ""
            if path not in pages:
                return f"`{path}`"
            return f"[{words}]({posixpath.relpath(pages[path], here)}{anchor})"

        text = LINK.sub(link, text)
    return NOTEBOOK.sub(r"\1.md", text)


def with_pictures(text: str, source: Path, page: Path) -> str:
    """Text of `page` with copies of the pictures that `source` shows from outside docs."""

    def picture(match: re.Match[str]) -> str:
        path = (source.parent / match[2]).resolve()
        if path.is_relative_to(DOCS) or not path.is_file():
            return match[0]
        copy = page.parent / "pictures" / path.name
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy)
        return f"{match[1]}pictures/{path.name})"

    return PICTURE.sub(picture, text)


def write_notebook(path: Path, folder: Path) -> None:
    """A notebook as Markdown, and its pictures."""
    from nbconvert import MarkdownExporter

    text, resources = MarkdownExporter().from_filename(str(path), resources={"output_files_dir": f"{path.stem}_files"})
    (folder / f"{path.stem}.md").write_text(NOTEBOOK.sub(r"\1.md", STYLE.sub("", text)), encoding="utf-8")
    for name, content in resources["outputs"].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def prepare(target: Path = TARGET) -> Path:
    """The folder with all pages, made anew."""
    shutil.rmtree(target, ignore_errors=True)
    pages = page_of()
    for path in sorted(DOCS.rglob("*")):
        copy = target / path.relative_to(DOCS)
        if path.suffix == ".md":
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(with_pictures(markdown(path, pages), source_of(path), copy), encoding="utf-8")
        elif path.suffix in ASSETS:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    (target / "notebooks").mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        write_notebook(path, target / "notebooks")
    return target


if __name__ == "__main__":
    prepare()
