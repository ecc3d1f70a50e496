"""What a disturbed run left, against one that nobody disturbed."""

from pathlib import Path

IGNORED = (".git/", ".dvc/tmp/", "__pycache__/")
OURS = ".dvc/tmp/runner/"
"""What the runner leaves for its next run; the rest of .dvc/tmp is DVC's own."""
VARYING = (f"{OURS}logs/", f"{OURS}times.json", f"{OURS}libraries.txt")
"""Files whose content depends on what ran, and when."""


def files(folder: Path) -> dict[str, Path]:
    """Return all that lies below a folder, but for folders and what is DVC's and git's own."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path
        for name, path in found.items()
        if (path.is_symlink() or not path.is_dir())
        and (name.startswith(OURS) or not any(part in f"{name}/" for part in IGNORED))
    }


def leftovers(disturbed: Path, undisturbed: Path) -> list[str]:
    """Return what only the disturbed run left, in the project or among temporary files."""
    extra = files(disturbed).keys() - files(undisturbed).keys()
    aside = [path.as_posix() for path in (disturbed / "build/aside").glob("*")]
    return sorted([*extra, *aside, *map(str, (disturbed.parent / "tmp").iterdir())])


def mismatches(disturbed: Path, undisturbed: Path) -> list[str]:
    """Return the files that are not the same bytes, or are missing: outputs, dvc.lock, cache."""
    mine, reference = files(disturbed), files(undisturbed)
    return sorted(
        name
        for name, path in reference.items()
        if not name.startswith(VARYING)
        and (name not in mine or path.read_bytes() != mine[name].read_bytes())
    )
