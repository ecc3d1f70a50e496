from functools import partial

import pytest
import torch

from tests.benchmarks.workload import Sizes, synthetic


@pytest.fixture
def torch_as_before():
    """Compute with one thread, and undo what contenders set in their processes."""
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    torch.set_deterministic_debug_mode(before[1])
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = cudnn


@pytest.fixture
def tiny():
    """Return a function that makes a workload of a few small images."""
    sizes = Sizes(train=20, validation=5, test=7)
    return partial(synthetic, "resnet8", sizes=sizes, shape=(1, 8, 8), batch_size=8, pad=1)
