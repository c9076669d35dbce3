"""What an image holds, as CycloneDX JSON: the Python distributions that the interpreter sees, and Debian's packages.

    /opt/earmark/bin/python3 sbom.py earmark > /opt/earmark/sbom.cdx.json

Standard library alone: it runs in an image while it is built, with the image's own interpreter.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

DPKG = Path("/var/lib/dpkg/status")
UNTOLD = ("", "UNKNOWN", "Other/Proprietary License", "OSI Approved")


def component(found: Distribution) -> dict:
    """A distribution with its version and its license, as its own metadata tells them."""
    name, version = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(), found.version
    purl = f"pkg:pypi/{name}@{version.replace('+', '%2B')}"
    told = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return told | ({"licenses": licenses} if (licenses := license_of(found)) else {})


def license_of(found: Distribution) -> list[dict]:
    """An SPDX expression where there is one, else what classifiers or the field of old say."""
    if expression := found.metadata.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = found.metadata.get_all("Classifier") or []
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    field = (found.metadata.get("License") or "").strip().partition("\n")[0]
    names = [name for name in named if name not in UNTOLD] or [field]
    if names == [""]:  # it brings the text of its license alone
        files = [
            str(file) for file in found.files or () if re.search(r"(?i)dist-info/.*(licen[cs]e|copying)", str(file))
        ]
        names = [Path(found.locate_file(file)).read_text(errors="replace").strip().partition("\n")[0] for file in files]
    return [{"license": {"name": name.strip()[:200]}} for name in dict.fromkeys(names) if name not in UNTOLD]


def debian() -> list[dict]:
    """Debian's packages of the base image and of what was installed on it."""
    text = DPKG.read_text(encoding="utf-8") if DPKG.is_file() else ""
    rows = [dict(re.findall(r"(?m)^(Package|Version|Status): (.+)$", part)) for part in text.split("\n\n")]
    purls = {
        f"pkg:deb/debian/{row['Package']}@{row['Version']}": row for row in rows if "installed" in row.get("Status", "")
    }
    return [
        {"type": "library", "bom-ref": purl, "name": row["Package"], "version": row["Version"], "purl": purl}
        for purl, row in purls.items()
    ]


def bom(name: str) -> dict:
    """The document, the same for the same content."""
    python = {component(found)["purl"]: component(found) for found in distributions()}
    parts = sorted([*python.values(), *debian()], key=lambda part: part["purl"])
    about = {"component": {"type": "container", "bom-ref": name, "name": name}}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": about, "components": parts}


if __name__ == "__main__":
    json.dump(bom(sys.argv[1]), sys.stdout, indent=1)
