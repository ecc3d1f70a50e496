"""The manifest of a folder: the size and SHA-256 of every file, by which damage is seen.

What writes a file need not know of it: `keep` digests what is new, once, and puts it on the disk
before it is listed.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Strict

from stages.pipeline.fault import Fault
from stages.pipeline.files import link_or_copy, replacing
from stages.pipeline.params import parse
from stages.pipeline.section import Section

FILE = "manifest.json"
Entry = Annotated[tuple[int, str], Strict(False)]
Version = tuple[int, int, int]


class Content(Section):
    """What the file holds: the name of the folder, without the suffix of an unfinished one."""

    of: str
    files: dict[str, Entry]


class Manifest:
    """The files that a folder should hold: size and SHA-256 by their path in it."""

    def __init__(self, folder: Path, entries: Mapping[str, Entry] | None = None) -> None:
        self.folder = folder
        self.entries = dict(entries or {})
        self._versions: dict[str, Version] = {}

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Return the manifest in a folder; None where there is none, or one of another folder."""
        try:
            content: Content = parse(Content, json.loads((folder / FILE).read_bytes()))
        except (OSError, ValueError, RecursionError, Fault):
            return None
        return cls(folder, content.files) if content.of == folder.stem else None

    def present(self) -> set[str]:
        """Return what lies in the folder: all that is no folder, or is one in place of a file."""
        names = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*")}
        return {
            name
            for name, path in names.items()
            if name != FILE and (name in self.entries or path.is_symlink() or not path.is_dir())
        }

    def flaws(self) -> dict[str, str]:
        """Return what is wrong with each file that is not as it was listed, in a word."""
        present = self.present()
        found = {name: "missing" for name in self.entries if name not in present}
        for name in sorted(present):
            path = self.folder / name
            if name not in self.entries:
                found[name] = "foreign"
            elif path.is_symlink() or not path.is_file() or _entry(path) != self.entries[name]:
                found[name] = "damaged"
            else:
                self._versions[name] = _version(path)
        return found

    def keep(self, without: Collection[Path] = ()) -> None:
        """List the files as they are now, `without` some; they are on the disk when this returns.

        A file that was listed and has not been written since keeps its digest, whatever the disk
        has made of it.
        """
        skipped = {path.relative_to(self.folder).as_posix() for path in without}
        listed: dict[str, Entry] = {}
        new: list[Path] = []
        for name in sorted(self.present() - skipped):
            path = self.folder / name
            if self._versions.get(name) != _version(path):
                self.entries[name] = _entry(path)
                self._store_once(path, listed)
                self._versions[name] = _version(path)
                new.append(path)
            listed[name] = self.entries[name]
        self.entries = listed
        sync([*new, *{folder for path in new for folder in path.parents if self._holds(folder)}])
        with replacing(self.folder / FILE) as aside:
            content = Content(of=self.folder.stem, files=listed)
            aside.write_text(content.model_dump_json(indent=1), encoding="utf-8")
            sync([aside])
        sync([self.folder])

    def _store_once(self, path: Path, listed: Mapping[str, Entry]) -> None:
        """Make a file a link to a listed one of the same content, if there is one."""
        entry = self.entries[path.relative_to(self.folder).as_posix()]
        for twin in (name for name in listed if listed[name] == entry):
            link_or_copy(self.folder / twin, path)
            break

    def publish(self, part: str, target: Path) -> None:
        """Have the files of a folder in another one too; a Fault where one is not as listed.

        They are hard links, so that they lie on the disk once, or copies where there can be none.
        """
        shutil.copytree(self.folder / part, target, dirs_exist_ok=True, copy_function=self._publish)

    def _publish(self, source: str, target: str) -> None:
        link_or_copy(source, target)
        name = Path(source).relative_to(self.folder).as_posix()
        if self.entries.get(name) != _entry(Path(target)):
            raise Fault(f"{source}: damaged since it was written; run `dvc repro` again")

    def _holds(self, folder: Path) -> bool:
        return folder == self.folder or self.folder in folder.parents


def sync(paths: Iterable[Path]) -> None:
    """Have files and folders on the disk itself when this returns."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _entry(path: Path) -> Entry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _version(path: Path) -> Version:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
