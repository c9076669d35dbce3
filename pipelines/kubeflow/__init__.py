"""Runs on a Kubeflow cluster: submitted, followed, cancelled, retried."""
