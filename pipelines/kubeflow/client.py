"""Kubeflow Pipelines as the environment names it; what goes wrong with it, in words."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from earmark.checking.lines import one_line
from earmark.errors import UserError
from earmark.pipelines.kubeflow.refusals import away, refused
from earmark.store.access import key_from_environment

if TYPE_CHECKING:
    import kfp

    from earmark.pipelines.cluster import Cluster

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 30.0
HEALTH = "/apis/v2beta1/healthz"
FORWARD = "kubectl -n {namespace} port-forward svc/ml-pipeline 8888"


@dataclass(frozen=True)
class Kubeflow:
    """A back end that answers.

    Attributes:
        client: the SDK's client.
        endpoint: address of the API.
        namespace: where the runs' pods are.
        version: of the back end, None where it does not tell.
        multi_user: whether experiments and runs belong to namespaces.
    """

    client: kfp.Client
    endpoint: str
    namespace: str
    version: str | None
    multi_user: bool = False

    @property
    def owner(self) -> str | None:
        """The namespace that experiments belong to, None where there is one user."""
        return self.namespace if self.multi_user else None

    def url(self, run: str) -> str:
        """The page of a run, by Kubeflow's id."""
        return f"{os.environ.get('KFP_UI', self.endpoint).rstrip('/')}/#/runs/details/{run}"

    def ask(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        """What a call of the generated API gives, within a time limit.

        Raises:
            UserError: refused: a token that is no longer good, no right, nothing under that id, a bad argument.
            EarmarkError: the server is away or fails.
        """
        from kfp_server_api import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return call(*values, **named, _request_timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
        except ApiException as error:
            raise refused(self.endpoint, int(error.status or 0), str(error.body or error.reason or "")) from None
        except (HTTPError, OSError) as error:
            raise away(self.endpoint, error) from None


def load_clients() -> None:
    """Import Kubeflow's and Kubernetes' clients, before checks that run side by side do.

    Threads that import packages which import each other may find one half made.
    """
    import kfp  # noqa: F401
    import kubernetes  # noqa: F401


def connect(cluster: Cluster) -> Kubeflow:
    """The back end that ``KFP_ENDPOINT`` names, asked for its version with the credentials of the environment.

    ``KFP_TOKEN`` is a bearer token, ``KFP_TOKEN_FILE`` a file that holds one, read anew for every request;
    ``KFP_CA_FILE`` the CA that signed the server's certificate; ``KFP_UI`` the pages' address where it is another.

    Raises:
        UserError: no endpoint or another server there, a token that is not accepted, an SDK newer than the back end.
        EarmarkError: nothing answers.
    """
    endpoint = _endpoint(cluster.namespace)
    health = _health(endpoint, cluster.namespace)
    version = str(health.get("tag_name") or "").lstrip("v") or None
    version = None if version == "unknown" else version
    _check_versions(version)
    multi_user = bool(health.get("multi_user"))
    return Kubeflow(
        _client(endpoint, cluster.namespace if multi_user else None), endpoint, cluster.namespace, version, multi_user
    )


def pinned_version(kubeflow: Kubeflow, pipeline: str, package: Path) -> tuple[str, str]:
    """Ids of the pipeline ``earmark-NAME`` and of its version with exactly this graph: found, or uploaded.

    Args:
        kubeflow: where.
        pipeline: the graph's name.
        package: its compiled form; the version is named by its digest.
    """
    import kfp_server_api as api

    name, version = f"earmark-{pipeline}", version_name(pipeline, package)
    pipelines, uploads = kubeflow.client._pipelines_api, kubeflow.client._upload_api

    def find() -> Any:
        found = kubeflow.ask(
            pipelines.pipeline_service_list_pipelines, filter=named(name), namespace=kubeflow.owner or ""
        ).pipelines
        return found[0] if found else None

    def find_version(pipeline_id: str) -> Any:
        ask = pipelines.pipeline_service_list_pipeline_versions
        found = kubeflow.ask(ask, pipeline_id=pipeline_id, filter=named(version)).pipeline_versions
        return found[0] if found else None

    there = find() or _made(
        lambda: kubeflow.ask(
            pipelines.pipeline_service_create_pipeline,
            pipeline=api.V2beta1Pipeline(display_name=name, namespace=kubeflow.owner),
        ),
        find,
    )
    made = find_version(there.pipeline_id) or _made(
        lambda: kubeflow.ask(uploads.upload_pipeline_version, str(package), name=version, pipelineid=there.pipeline_id),
        lambda: find_version(there.pipeline_id),
    )
    return there.pipeline_id, made.pipeline_version_id


def experiment_id(kubeflow: Kubeflow, name: str) -> str:
    """Id of Kubeflow's experiment, which is made if it is not there."""
    import kfp_server_api as api

    service = kubeflow.client._experiment_api
    query = {"namespace": kubeflow.owner} if kubeflow.owner else {}
    found = kubeflow.ask(service.experiment_service_list_experiments, filter=named(name), **query).experiments
    if not found:
        wanted = api.V2beta1Experiment(display_name=name, namespace=kubeflow.owner)
        found = [kubeflow.ask(service.experiment_service_create_experiment, experiment=wanted)]
    return str(found[0].experiment_id)


def version_name(pipeline: str, package: Path) -> str:
    """What the version of a graph is called: by the digest of its compiled form."""
    return f"earmark-{pipeline}-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"


def named(name: str) -> str:
    """The API's filter for objects of a name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _made(make: Callable[[], Any], find: Callable[[], Any]) -> Any:
    """What ``make`` makes, or what another made in the meantime."""
    try:
        return make()
    except UserError:
        found = find()
        if found is None:
            raise
        return found


def _endpoint(namespace: str) -> str:
    endpoint = os.environ.get("KFP_ENDPOINT", "").strip().rstrip("/")
    forward = FORWARD.format(namespace=namespace)
    if not endpoint:
        raise UserError(
            "KFP_ENDPOINT is not set: give the address of Kubeflow Pipelines' API, as in http://localhost:8888 while "
            f"`{forward}` runs"
        )
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"KFP_ENDPOINT is {endpoint}: give http:// or https://, the host, the port, and a path if any")
    return endpoint


def _health(endpoint: str, namespace: str) -> dict[str, Any]:
    """What the back end tells of itself; the first request, with the credentials of all others."""
    import urllib3

    token = key_from_environment("KFP_TOKEN")
    pool = urllib3.PoolManager(
        timeout=CONNECT_SECONDS, retries=False, ca_certs=_ca_file() or os.environ.get("SSL_CERT_FILE")
    )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = pool.request("GET", endpoint + HEALTH, headers=headers, redirect=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise away(endpoint, error) from None
    text = answer.data.decode(errors="replace")
    if answer.status in (401, 403) or answer.status >= 500:
        raise refused(endpoint, answer.status, text)
    try:
        told = json.loads(text) if answer.status == 200 else None
    except ValueError:
        told = None
    if not isinstance(told, dict) or "multi_user" not in told:
        what = (
            "a login page"
            if 300 <= answer.status < 400
            else f"status {answer.status}, {one_line(Exception(text[:80]))}"
        )
        raise UserError(
            f"{endpoint} is not the API of Kubeflow Pipelines ({what}): correct KFP_ENDPOINT (a path such as /pipeline "
            f"may be missing), or give http://localhost:8888 while `{FORWARD.format(namespace=namespace)}` runs"
        )
    return told


def _check_versions(theirs: str | None) -> None:
    import kfp

    if theirs is None:
        return
    ours = kfp.__version__
    if _parts(ours) > _parts(theirs):
        raise UserError(
            f"kfp {ours} here is newer than Kubeflow Pipelines {theirs} there, which would drop what it does not know "
            f"(GPUs among it): update the back end, or install earmark with kfp {'.'.join(theirs.split('.')[:2])} here"
        )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _client(endpoint: str, namespace: str | None) -> kfp.Client:
    import kfp
    from kfp.client.token_credentials_base import TokenCredentialsBase

    class Environment(TokenCredentialsBase):  # type: ignore[misc]  # KFP has no types
        """The token as the environment has it now: one in a file is renewed while a run is followed."""

        def refresh_api_key_hook(self, config: Any) -> None:
            config.api_key["authorization"] = self.get_token()

        def get_token(self) -> str:
            return key_from_environment("KFP_TOKEN") or ""

    has_token = key_from_environment("KFP_TOKEN") is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kfp.Client(
            host=endpoint,
            ssl_ca_cert=_ca_file(),
            credentials=Environment() if has_token else None,
            **({"namespace": namespace} if namespace else {}),
        )


def _ca_file() -> str | None:
    file = os.environ.get("KFP_CA_FILE") or None
    if file is not None and not Path(file).is_file():
        raise UserError(f"KFP_CA_FILE is {file}, which is not there: give the file with the CA's PEM")
    return file
