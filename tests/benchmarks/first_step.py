"""Import what an arm imports, build a run, take one step, print the time; then end."""

import time

import stages.retrain  # noqa: F401
from tests.benchmarks.ours import begin
from tests.benchmarks.setting import Device, Setting
from tests.benchmarks.workload import Sizes, synthetic


def main() -> None:
    """Train ResNet-8 on one batch of 8x8 images; print seconds since the epoch."""
    sizes = Sizes(train=64, validation=0, test=0)
    workload = synthetic("resnet8", sizes, shape=(1, 8, 8), batch_size=64, pad=1, flip=False)
    begin(workload, Setting(), Device.cpu).advance()
    print(time.time())


if __name__ == "__main__":
    main()
