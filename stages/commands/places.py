"""Where commands find what runs of the study leave."""

from pathlib import Path

REPORTS = Path("reports")
PREPARED = Path("data/prepared")
DESCRIPTION = PREPARED / "description.json"
