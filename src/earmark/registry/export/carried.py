"""Earmark's own code as a model carries it: what scoring a clip needs, under a name of its own.

The name holds the code's digest, so that a process can have an installed Earmark and several models of other versions.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import earmark

ROOMS = ("config", "store", "features", "metrics", "architectures")
FILES = [
    *("__init__.py", "errors.py", "progress.py", "evaluation/model.py", "evaluation/windows.py"),
    *("registry/package.py", "registry/export/served.py"),
]
SERVED = "registry.export.served"
IMPORT = re.compile(r"^(\s*)(from|import) earmark\b", re.MULTILINE)


def carry_code(folder: Path) -> str:
    """Write the package below a folder, which is to be on Python's path.

    Returns:
        The name of the module that MLflow loads.
    """
    root = Path(earmark.__file__).parent
    sources = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    texts = {path.relative_to(root): path.read_text("utf-8") for path in [*sources, *(root / name for name in FILES)]}
    for path in list(texts):
        for parent in path.parents:
            texts.setdefault(parent / "__init__.py", "")
    digest = hashlib.sha256("".join(f"{path}\n{texts[path]}" for path in sorted(texts)).encode()).hexdigest()
    name = f"earmark_{digest[:12]}"
    for path, text in texts.items():
        target = folder / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(IMPORT.sub(rf"\1\2 {name}", text), "utf-8")
    return f"{name}.{SERVED}"
