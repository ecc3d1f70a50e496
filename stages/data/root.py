"""What may not be below `data.root`: DVC digests all of it, and would wait for a pipe for ever."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link to no file or folder",
}


def misplaced(root: Path) -> Iterator[str]:
    """Yield a line for whatever below `root` is neither a file nor a folder, nor a link to one."""
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path, kind = Path(entry.path), stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
            if kind == stat.S_IFDIR:
                yield from misplaced(path)
            elif kind in KINDS and not (path.is_symlink() and (path.is_file() or path.is_dir())):
                what = KINDS[kind]
                yield f"{entry.path!r} is {what}; below data.root should be files and folders alone"
