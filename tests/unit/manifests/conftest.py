"""The manifests as a cluster gets them."""

import pytest
import yaml
from render import render_all


@pytest.fixture(scope="session")
def rendered():
    """Every overlay's objects, by the overlay's name."""
    return {name: list(yaml.safe_load_all(text)) for name, text in render_all().items()}
