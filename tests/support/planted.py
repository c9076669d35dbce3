"""Secrets planted in an environment, and a search for them in everything that is written."""

import base64
import os
from pathlib import Path

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "planted-aws-secret",
    "AWS_SESSION_TOKEN": "planted-aws-session",
    "MLFLOW_TRACKING_PASSWORD": "planted-mlflow-password",
    "MLFLOW_TRACKING_TOKEN": "planted-mlflow-token",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "planted-flask-key",
    "KFP_TOKEN": "planted-kubeflow-token",
    "EARMARK_WEBHOOK_URL": "planted-webhook-path",
    "DATABASE_URL": "planted-database-password",
    "MLFLOW_TRACKING_URI": "planted-uri-password",
}
"""What each variable holds that nobody may find; the last is planted only where an address is given."""
FORMS = {
    "EARMARK_WEBHOOK_URL": "http://127.0.0.1:9/hooks/{}",
    "DATABASE_URL": "postgresql://earmark:{}@127.0.0.1:9/mlflow",
}
IN_FILES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "KFP_TOKEN", "MLFLOW_TRACKING_TOKEN")


def planted(address=None, files=None):
    """Variables with secrets; with the address of MLflow's server, its password too; in files of a folder where these
    can be named.
    """
    environment = {name: FORMS.get(name, "{}").format(secret) for name, secret in SECRETS.items()}
    environment |= {"AWS_ACCESS_KEY_ID": "an-access-key", "MLFLOW_TRACKING_USERNAME": "a-user"}
    del environment["MLFLOW_TRACKING_URI"]
    if address is not None:
        environment["MLFLOW_TRACKING_URI"] = address.replace("//", f"//user:{SECRETS['MLFLOW_TRACKING_URI']}@")
    for name in IN_FILES if files is not None else ():
        Path(files, name).write_text(environment.pop(name))
        environment[f"{name}_FILE"] = str(Path(files, name))
    return environment


def leaks(*texts):
    """The variables whose secrets are in texts or bytes, plain or as the parts of a basic login."""
    data = b"\n".join(text.encode() if isinstance(text, str) else text for text in texts)
    told = {name: (secret.encode(), base64.b64encode(secret.encode())) for name, secret in SECRETS.items()}
    return {name for name, forms in told.items() if any(form in data for form in forms)}


def leaks_below(folder):
    """Files below a folder with a secret in them or in their names, and whose."""
    found = {}
    for path in Path(folder).rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if names := leaks(str(path), content):
            found[str(path)] = names
    return found


def command_lines(group):
    """The command lines of all processes of a process group, as every user of the machine can read them."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group or os.getsid(int(folder.name)) == group:
                lines.append((folder / "cmdline").read_bytes())
        except (OSError, ProcessLookupError):
            continue
    return lines
