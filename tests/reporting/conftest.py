from collections.abc import Callable
from pathlib import Path

import pytest

from tests.results.study import write_study


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an invented study and returns its folder."""
    return lambda *args, **options: write_study(tmp_path / "reports", *args, **options)
