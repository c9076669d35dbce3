"""Kubeflow's API as far as runs need it: the shapes of answers were recorded from a 2.17 back end."""

import json
import uuid
from datetime import UTC, datetime

from recurring_api import RecurringApi


class RunsApi(RecurringApi):
    """A back end in memory whose runs go through the states that a test gives.

    ``states``: what each further look at a run finds, as fields laid over it; the last one stays.
    ``refuses``: status and body of every answer about runs, once set.
    """

    def __init__(self):
        super().__init__()
        self.states = []
        self.refuses = None

    @property
    def runs(self):
        return self.objects["runs"]

    def _read(self, parts, query):
        if parts[0] == "runs" and self.refuses:
            return self.refuses
        if parts[0] == "runs" and len(parts) == 2:
            for run in self.runs:
                if run["run_id"] == parts[1]:
                    run.update(self.states.pop(0) if self.states else {})
                    return 200, run
            return 404, {"code": 5, "message": f"Failed to get a run: ResourceNotFoundError: Run {parts[1]} not found."}
        return super()._read(parts, query)

    def _write(self, method, parts, query, body):
        if parts == ["runs"]:
            given = json.loads(body)
            reference = given["pipeline_version_reference"]
            assert reference["pipeline_version_id"] in [v["pipeline_version_id"] for v in self.objects["versions"]]
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            run = {"run_id": str(uuid.uuid4()), **given, "state": "PENDING", "created_at": now, "scheduled_at": now}
            self.runs.append({**run, "finished_at": "1970-01-01T00:00:00Z"})
            return 200, self.runs[-1]
        if parts[0] == "runs":
            [run] = [each for each in self.runs if each["run_id"] == parts[1]]
            run["state"] = {"terminate": "CANCELING", "retry": "RUNNING"}[parts[2]]
            return 200, {}
        return super()._write(method, parts, query, body)
