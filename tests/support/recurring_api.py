"""Kubeflow's API as far as schedules need it: the answers' shapes are those of a Kubeflow Pipelines 2.17 back end."""

from __future__ import annotations

import json
import re
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 2
"""Fewer than any client asks for, so that every list has pages."""


class RecurringApi:
    """A back end in memory. ``writes`` are the calls that changed it; ``stop`` ends it at one of them.

    ``stop_at`` counts writes from 1: that one and all calls after it fail, performed or not by ``performed``.
    """

    def __init__(self):
        self.objects = {"pipelines": [], "versions": [], "experiments": [], "recurringruns": [], "runs": []}
        self.writes = []
        self.stop_at, self.performed = None, False
        self._down = False
        self._clock = datetime(2026, 11, 28, 16, tzinfo=UTC)
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece: two would wait for each other for 40 ms

            def do_GET(self):
                self.answer("GET")

            def do_POST(self):
                self.answer("POST")

            def do_DELETE(self):
                self.answer("DELETE")

            def answer(self, method):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                told = api.call(method, self.path, body)
                if told is None:
                    self.close_connection = True
                    return
                status, value = told
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def interrupt(self, at, *, performed):
        """Go away at a write; without one come back."""
        self.writes.clear()
        self.stop_at, self.performed, self._down = at, performed, False

    def call(self, method, path, body):
        """Status and answer; None where the connection breaks."""
        if self._down:
            return None
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = re.split(r"[/:]", url.path.removeprefix("/apis/v2beta1/"))
        if method == "GET":
            return self._read(parts, query)
        self.writes.append(f"{method} {'/'.join(part for part in parts if '-' not in part)}")
        self._down = len(self.writes) == self.stop_at
        if self._down and not self.performed:
            return None
        told = self._write(method, parts, query, body)
        return None if self._down else told

    def _read(self, parts, query):
        if parts == ["healthz"]:
            return 200, {"tag_name": "2.17.0", "multi_user": False, "pipeline_store": "database"}
        kind = "versions" if len(parts) > 2 else parts[0]
        of = [each for each in self.objects[kind] if kind != "versions" or each["pipeline_id"] == parts[1]]
        if len(parts) in (2, 4):
            found = [each for each in of if parts[-1] in each.values()]
            return (200, found[0]) if found else (404, {"code": 5, "message": f"{kind} {parts[-1]} not found"})
        for predicate in json.loads(query.get("filter") or "{}").get("predicates", []):
            of = [each for each in of if each[predicate["key"]] == predicate["stringValue"]]
        start = int(query.get("page_token") or 0)
        name = {"versions": "pipeline_versions", "recurringruns": "recurringRuns"}.get(kind, kind)
        answer = {name: of[start : start + PAGE], "total_size": len(of)} if of else {}
        if start + PAGE < len(of):
            answer["next_page_token"] = str(start + PAGE)
        return 200, answer

    def _write(self, method, parts, query, body):
        if parts == ["pipelines", "upload_version"]:
            version = {"pipeline_id": query["pipelineid"], "display_name": query["name"], "name": query["name"]}
            return 200, self._add("versions", "pipeline_version_id", version)
        if method == "DELETE":
            self.objects["recurringruns"] = [
                each for each in self.objects["recurringruns"] if each["recurring_run_id"] != parts[1]
            ]
            return 200, {}
        if parts[0] == "recurringruns" and len(parts) == 3:
            [run] = [each for each in self.objects["recurringruns"] if each["recurring_run_id"] == parts[1]]
            run["mode"], run["status"] = {"enable": ("ENABLE", "ENABLED"), "disable": ("DISABLE", "DISABLED")}[parts[2]]
            return 200, {}
        given = json.loads(body)
        if parts[0] == "recurringruns":
            # What the back end does not know it refuses; what is empty it leaves out.
            assert given["pipeline_version_reference"]["pipeline_version_id"] in [
                each["pipeline_version_id"] for each in self.objects["versions"]
            ]
            assert given["experiment_id"] in [each["experiment_id"] for each in self.objects["experiments"]]
            given = {key: value for key, value in given.items() if value is not False} | {
                "status": f"{given['mode']}D",
                "namespace": "kubeflow",
            }
            return 200, self._add("recurringruns", "recurring_run_id", given)
        return 200, self._add(parts[0], {"pipelines": "pipeline_id", "experiments": "experiment_id"}[parts[0]], given)

    def _add(self, kind, key, values):
        self._clock += timedelta(seconds=1)
        made = {key: str(uuid.uuid4()), **values, "created_at": self._clock.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.objects[kind].append(made)
        return made
