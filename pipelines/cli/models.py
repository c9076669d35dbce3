"""Commands about registered models."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from earmark.pipelines.cli.app import Json, Work, app


class Shown(TyperGroup):
    """``models`` shows what there is, unless what follows is the name of one of its commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``show`` first where no command is named."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


models_app = typer.Typer(
    cls=Shown,
    rich_markup_mode=None,
    help="List the registered models, or the history of one; which of them saw a clip; bring one here.\n\n"
    "`earmark models` and `earmark models NAME` are short for `earmark models show`.",
)
app.add_typer(models_app, name="models")


@models_app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="A registered model: who made which version its champion, when and why.")
    ] = None,
    trained_on: Annotated[
        str | None,
        typer.Option(help="A clip's id or its file: which versions were trained on it, and which only scored it."),
    ] = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """List the registered models and their versions; with a name, the history of its champions.

    For example: earmark models --trained-on recordings/2024-05-01.wav
    """
    if trained_on is not None:
        from earmark.pipelines.packages import show_trained_on

        show_trained_on(trained_on, work, json)
        return
    from earmark.pipelines.commands import show_models

    show_models(work, json, name)


class Form(StrEnum):
    """What a model can be brought here as."""

    PACKAGE = "package"
    PT2 = "pt2"
    ONNX = "onnx"


@models_app.command()
def download(
    model: Annotated[str, typer.Argument(help="NAME (its champion), NAME@ALIAS or NAME/VERSION.")],
    to: Annotated[
        Path | None, typer.Option(help="Folder for it, made if need be. [default: a cache, where it is kept]")
    ] = None,
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="package (what Earmark loads), pt2 (its program by torch.export) or onnx (made here, compared).",
        ),
    ] = Form.PACKAGE,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Bring a registered model to this machine, every file checked, and print where it is.

    For example: earmark models download earmark@champion --to models/earmark
    """
    from earmark.pipelines.packages import download_model

    download_model(model, to, form.value, work, json)


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
