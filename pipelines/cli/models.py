"""Commands about registered models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Json, Work, app


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="A registered model: who made which version its champion, when and why.")
    ] = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """List the registered models and their versions; with a name, the history of its champions.

    For example: earmark models earmark
    """
    from earmark.pipelines.commands import show_models

    show_models(work, json, name)


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="The registered model; see `earmark models`.")],
    version: Annotated[int, typer.Argument(help="The version that becomes champion.", min=1)],
    why: Annotated[str, typer.Option(help="The reason, which is kept with your name in the model's history.")],
    work: Work = "work",
    json: Json = False,
) -> None:
    """Make a version of a model its champion, whatever the gate decided.

    For example: earmark promote earmark 3 --why "the gate lacked clips of sirens; checked by ear"
    """
    from earmark.pipelines.promotions import promote_version

    promote_version(name, version, why, work, json)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The registered model; see `earmark models`.")],
    why: Annotated[str, typer.Option(help="The reason, which is kept in the model's history.")] = "rolled back by hand",
    work: Work = "work",
    json: Json = False,
) -> None:
    """Make the champion before the present one champion again; once more goes back further.

    For example: earmark rollback earmark --why "false alarms at night"
    """
    from earmark.pipelines.promotions import roll_back

    roll_back(name, why, work, json)


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
