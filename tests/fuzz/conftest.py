import resource
import sys

import psutil
import pytest


@pytest.fixture(autouse=True, scope="module")
def bounded_memory():
    """Have whatever asks for more than 2 GiB beyond what is in use fail in this process."""
    if sys.platform != "linux":
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + 2**31
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (before, hard))
