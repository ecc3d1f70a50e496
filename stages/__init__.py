"""The stages; Python reads this file before the code of any of them."""

import time

STARTED_NS = time.time_ns()
"""When this process began to read the project's code, in nanoseconds since the epoch."""
