"""What every test shares."""

from hypothesis import settings

# A time limit per example fails on a busy machine and says nothing of the code.
settings.register_profile("earmark", deadline=None)
settings.load_profile("earmark")
