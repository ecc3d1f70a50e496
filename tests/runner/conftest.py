"""Repositories to run in."""

import pytest

from tests.runner.pipelines import ALL, FAN
from tests.runner.twins import make, twins


@pytest.fixture(params=ALL)
def shape(request, tmp_path):
    return twins(tmp_path, ALL[request.param])


@pytest.fixture
def fan(tmp_path):
    return twins(tmp_path, FAN)


@pytest.fixture
def repository(tmp_path):
    """Return a function that makes one repository of files."""
    return lambda files: make(tmp_path / "repository", files)
