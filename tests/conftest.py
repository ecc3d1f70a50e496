import sys

import pytest


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """Let tests write code after this process began; those of the start set its time themselves."""
    monkeypatch.setattr("stages.STARTED_NS", sys.maxsize)
