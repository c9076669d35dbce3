"""Files of tensors: safetensors is the only form that is read, since others can run code while they are."""

from __future__ import annotations

from pathlib import Path

from earmark.errors import UserError


def check_safetensors(path: Path) -> Path:
    """The path, where it is a safetensors file with a sound header.

    Raises:
        UserError: it is another file, such as a pickle.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy"):
            return path
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is no safetensors file ({error}), the only form of weights that is read: pickles can run code"
        ) from None
