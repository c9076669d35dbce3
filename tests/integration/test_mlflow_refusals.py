"""An MLflow server that refuses its clients: told in a line with the remedy; with the right login it serves them."""

import http.server
import io
import threading
import uuid

import pytest
from servers import MlflowServer

from earmark.errors import UserError
from earmark.progress import Progress
from earmark.registry import list_models
from earmark.tracking import DatasetFacts, RunContext, Tracker, connect, mlflow_needed, parent_run

PASSWORD = "a-password-of-tests"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that wants a login, and knows no host name but 127.0.0.1; on SQLite, which is quicker to make."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = folder / "auth.ini"
    settings.write_text(
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\nadmin_username = admin\n"
        f"admin_password = {PASSWORD}\ndatabase_uri = sqlite:///{folder / 'auth.db'}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    server = MlflowServer(
        folder,
        f"sqlite:///{folder / 'mlflow.db'}",
        folder / "artifacts",
        ("--app-name", "basic-auth", "--allowed-hosts", "127.0.0.1:*"),
        {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of tests"},
    )
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(guarded, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", guarded.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    return guarded


def test_the_right_password_works(server):
    name = f"run-{uuid.uuid4().hex[:8]}"
    client = connect()
    run = client.get_run(parent_run(client, RunContext(name, "compare", name), "d"))
    assert run.info.run_name == name


def test_a_wrong_password_names_the_variables_and_is_not_told(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong-one")
    with pytest.raises(UserError, match="MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD") as error:
        list_models()
    assert "wrong-one" not in str(error.value)


def test_a_wrong_password_does_not_stop_training(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong-one")
    told = io.StringIO()
    context = RunContext("run-1", "compare", "refused")
    progress = Progress("train_model/alexnet", mode="plain", stream=told)
    child = Tracker(context, DatasetFacts("d" * 32, "/clips", {}), progress).child("k", "alexnet", {})
    child.log("train", {"step": 1, "loss": 0.5})
    child.finish(deadline_seconds=5)
    assert "the server refuses the login" in told.getvalue()


def test_a_host_name_that_the_server_does_not_know_is_told_with_the_option(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://localhost:{server.port}")
    with pytest.raises(UserError, match=rf"refuses the host name .*--allowed-hosts localhost:{server.port}"):
        list_models()


def test_a_server_without_tls_asked_by_https_is_told(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://127.0.0.1:{server.port}")
    with pytest.raises(UserError, match=r"speaks no TLS there: write http://"):
        list_models()


def test_a_token_that_its_file_gets_anew_is_sent_from_then_on(monkeypatch, tmp_path):
    seen = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers["Authorization"])
            self.send_response(401)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_):
            pass

    file = tmp_path / "token"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN_FILE", str(file))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as gate:
        threading.Thread(target=gate.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{gate.server_address[1]}")
        file.write_text("first\n")
        client = connect()
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            with pytest.raises(UserError, match="MLFLOW_TRACKING_TOKEN"), mlflow_needed():
                client.get_experiment_by_name("x")
            assert seen[-1] == f"Bearer {token}"
        gate.shutdown()
    file.unlink()
    with pytest.raises(UserError, match=r"MLFLOW_TRACKING_TOKEN_FILE names .*token, which cannot be read"):
        client.get_experiment_by_name("x")
