"""On PYTHONPATH, this makes torch missing in every step that runs in the image without it, and nowhere else."""

import sys
from importlib import metadata, util
from importlib.abc import MetaPathFinder
from pathlib import Path

LEFT_OUT = ("torch", "torchaudio")


class Missing(MetaPathFinder):
    """Finds nothing under the names that the image leaves out."""

    def find_spec(self, name, path=None, target=None):
        """Refuse what the image does not have."""
        if name.partition(".")[0] in LEFT_OUT:
            raise ModuleNotFoundError(f"No module named {name!r}: the steps image has none", name=name)


def component(argv):
    """Name of the component that Kubeflow's executor was started for; None in any other process."""
    return argv[argv.index("--function_to_execute") + 1] if "--function_to_execute" in argv else None


def lacks_torch(name):
    """Whether a component runs in the steps image, by its source: importing it would import KFP here."""
    folder = Path(util.find_spec("earmark").origin).parent / "components" / name
    return "base_image=STEPS_IMAGE" in (folder / "component.py").read_text()


def installed(name, found=metadata.Distribution.from_name):
    """A package's metadata; none of what the image leaves out."""
    if name in LEFT_OUT:
        raise metadata.PackageNotFoundError(name)
    return found(name)


started = component(sys.orig_argv)
if started and lacks_torch(started):
    sys.meta_path.insert(0, Missing())
    metadata.Distribution.from_name = installed
