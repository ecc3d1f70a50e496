"""The one exception for mistakes of the user."""


class Fault(Exception):
    """A mistake of the user, in one line: the key or file, its value, and what is allowed."""
