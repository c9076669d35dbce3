"""The cluster's own API, where this user may read it: pods, logs, nodes. Objects are plain JSON."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.checking.lines import one_line

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
TIMEOUT_SECONDS = (3.0, 10.0)
TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Unseen(Exception):
    """The cluster's API, or an object of it, is not to be seen from here; tells why."""

    missing = False
    """Whether it is not there at all."""


@dataclass(frozen=True)
class Kube:
    """A cluster's API."""

    api: ApiClient

    def get(self, path: str, **query: str | int | bool) -> dict[str, Any]:
        """An object, or a list of them.

        Raises:
            Unseen: no right, no answer.
        """
        found: dict[str, Any] = json.loads(self._read(path, query))
        return found

    def has(self, path: str) -> bool:
        """Whether an object is there; of its content nothing is read.

        Raises:
            Unseen: no right, no answer.
        """
        try:
            self._read(path, {}, METADATA)
        except Unseen as error:
            if error.missing:
                return False
            raise
        return True

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        """The last lines of a step's log, each after the time that it was written; none where there is no log yet."""
        query = {"container": "main", "timestamps": True, "tailLines": lines}
        try:
            text = self._read(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query)
        except Unseen:
            return []
        return text.decode(errors="replace").splitlines()

    def _read(self, path: str, query: dict[str, Any], accept: str = "*/*") -> bytes:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        pairs = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in query.items()]
        try:
            answer = self.api.call_api(
                path,
                "GET",
                query_params=pairs,
                header_params={"Accept": accept},
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=TIMEOUT_SECONDS,
            )
        except ApiException as error:
            unseen = Unseen(_told(error))
            unseen.missing = error.status == 404
            raise unseen from None
        except (HTTPError, OSError) as error:
            raise Unseen(one_line(error)) from None
        data: bytes = answer.data
        return data


def open_kube() -> Kube:
    """The cluster that ``KUBECONFIG`` (or ``~/.kube/config``) names, or the one that this runs in.

    Raises:
        Unseen: neither is there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kubernetes import client, config

    configuration = client.Configuration()
    try:
        if TOKEN.exists() and not os.environ.get("KUBECONFIG"):
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(client_configuration=configuration)
    except (config.ConfigException, OSError, TypeError) as error:
        raise Unseen(f"no cluster's configuration: {one_line(error)}") from None
    configuration.retries = False
    return Kube(client.ApiClient(configuration))


def _told(error: Any) -> str:
    try:
        return one_line(Exception(json.loads(error.body)["message"]))
    except (ValueError, KeyError, TypeError):
        return one_line(Exception(f"{error.status} {error.reason}"))
