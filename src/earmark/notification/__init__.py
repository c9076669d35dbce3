"""How a run ended, read from what its steps left, and told: in its record, in MLflow, to a webhook."""
