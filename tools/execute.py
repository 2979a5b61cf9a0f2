"""Run every chapter and store its outputs in place; then refresh what is taken from them.

Usage: python tools/execute.py [CHAPTER.ipynb ...]

Without arguments every notebook of the book is run. The claims page comes last, because it reads
the verdicts that the others have stored. Execution times and other traces of a machine are
stripped. Pictures in cells tagged ``gallery-NAME`` are copied to ``book/_static/gallery``.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parent.parent / "book"
GALLERY = BOOK / "_static" / "gallery"
LAST = "claims.ipynb"


def execute(path: Path) -> None:
    """Run one notebook in its own folder and write it back without traces of the machine."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", record_timing=False, coalesce_streams=True
    )
    client.execute(cwd=str(path.parent))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and "remove-output" in cell.metadata.get("tags", []):
            cell.outputs = []
    nbformat.write(notebook, path)


def gallery_pictures(path: Path) -> dict[str, bytes]:
    """Return the pictures of a notebook's cells tagged ``gallery-NAME``, by name."""
    import nbformat

    pictures = {}
    for cell in nbformat.read(path, as_version=4).cells:
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        images = [entry["image/png"] for entry in data if "image/png" in entry]
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("gallery-"):
                pictures[tag.removeprefix("gallery-")] = base64.b64decode(images[0])
    return pictures


def main(arguments: list[str]) -> None:
    """Execute the chapters named, or all of them."""
    sys.path.insert(0, str(BOOK.parent))
    import conftest  # noqa: F401 -- the same threads and silence as when the outputs are compared

    paths = [Path(argument).resolve() for argument in arguments] or sorted(BOOK.glob("*.ipynb"))
    GALLERY.mkdir(parents=True, exist_ok=True)
    for path in sorted(paths, key=lambda path: path.name == LAST):
        print(f"running {path.name}", flush=True)
        execute(path)
        for name, picture in gallery_pictures(path).items():
            (GALLERY / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main(sys.argv[1:])
