"""A model as others start from it or score it: its package, read."""

from __future__ import annotations

from earmark.evaluation import Packaged
from earmark.registry.download import fetch_package


def fetch_source(reference: str) -> Packaged:
    """What :func:`fetch_package` finds under a reference, with the clips that it was made of where it tells them."""
    package = fetch_package(reference)
    made_of = package.clips() if package.document.get("clips_sha256") else None
    return Packaged(package.title, package.weights.read_bytes(), package.document, made_of)
