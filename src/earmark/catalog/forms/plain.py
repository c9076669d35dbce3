"""Labels by folders: the form of whatever nothing else recognises."""

from __future__ import annotations

from earmark.catalog.claims import Claims
from earmark.catalog.folders import read_folders
from earmark.catalog.forms import Form
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    return read_folders(root.audio)


FOLDERS = Form("folders", "a folder a label, or folders of splits with a folder a label", lambda _root: True, _read)
