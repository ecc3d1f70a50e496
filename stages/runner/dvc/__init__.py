"""All that the runner uses of DVC's internals; each use has a contract test in tests/runner."""
