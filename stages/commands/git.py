"""What git says of this project."""

import subprocess


def git(*words: str) -> str | None:
    """Return what a git command prints; None when it fails, or where there is no git."""
    asked = ["git", "-c", "core.quotepath=off", *words]
    try:
        ended = subprocess.run(asked, capture_output=True, encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return ended.stdout if ended.returncode == 0 else None
