"""Commands about registered models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Json, Work, app


@app.command()
def models(work: Work = "work", json: Json = False) -> None:
    """List the registered models and their versions."""
    from earmark.pipelines.commands import show_models

    show_models(work, json)


@app.command()
def import_vggish(
    file: Annotated[
        Path,
        typer.Argument(
            help="The released weights: a TensorFlow checkpoint (vggish_model.ckpt), a .npz with its variables, or "
            ".safetensors."
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder of the model package that is written.")],
    pca: Annotated[
        Path | None, typer.Option(help="The released post-processing (vggish_pca_params.npz), kept with the model.")
    ] = None,
) -> None:
    """Make a model of the released VGGish weights: it gives embeddings, and training can start from it.

    For example: earmark import-vggish vggish_model.ckpt --pca vggish_pca_params.npz --to models/vggish
    """
    from earmark.pipelines.vggish import import_vggish as write

    print(write(file, to, pca))
