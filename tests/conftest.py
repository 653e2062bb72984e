"""What several test files share: the embedded digits, and settings that make every run the same."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")  # a figure that asks for a window would hang a server

import pytest
from hypothesis import settings

import aecourse as ae

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")


@pytest.fixture(scope="session")
def digits():
    return ae.data.load("digits")
