"""What holds for all tests."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("any_load", deadline=None)
settings.load_profile("any_load")  # how long an example takes is no property of the code


@pytest.fixture(scope="session", autouse=True)
def forks_work():
    """Keep torch to one thread: processes that tests fork would find its others gone.

    Autograd starts a thread for each kind of device that it knows of when it is first used; an
    export to ONNX makes it know of more.
    """
    torch.set_num_threads(1)
    torch.zeros(1, requires_grad=True).sum().backward()
