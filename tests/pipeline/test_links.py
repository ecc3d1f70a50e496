"""Files lie on the disk once, and no write reaches DVC's cache through a link."""

import hashlib
import stat

import pytest

CACHED = "models", "data/prepared", "build/made"


def objects(project):
    """Return the files of DVC's cache by inode."""
    folder = project.folder / ".dvc/cache/files/md5"
    return {path.stat().st_ino: path for path in folder.rglob("*") if path.is_file()}


def intact(project):
    """Whether each file of DVC's cache still has the content that it is named by."""
    digests = {p: hashlib.md5(p.read_bytes()).hexdigest() for p in objects(project).values()}
    return bool(digests) and all(
        f"{path.parent.name}{path.stem}" == digest for path, digest in digests.items()
    )


def files(project, *folders):
    return [p for name in folders for p in (project.folder / name).rglob("*") if p.is_file()]


def test_outputs_and_recovery_state_are_links_to_the_cache(study):
    cached = objects(study.project)
    alone = [p for p in files(study.project, *CACHED) if p.stat().st_ino not in cached]
    assert alone == []
    kept = files(study.project, ".state")
    alone = {
        path.name for path in kept if path.stat().st_ino not in cached and path.suffix != ".lock"
    }
    assert alone == {"manifest.json"}


def test_what_is_linked_is_read_only(study):
    writable = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    assert not any(path.stat().st_mode & writable for path in files(study.project, *CACHED))


@pytest.mark.slow
def test_no_stage_writes_through_a_link(project):
    """A copy of the study has no links; `checkout --relink` makes them again."""
    project.dvc("checkout", "--relink")
    assert all(path.stat().st_nlink > 1 for path in files(project, "models"))
    before = {path.name for path in objects(project).values()}
    project.dvc("repro", "--force")
    project.set("train.lr", 0.05)
    project.dvc("repro")
    after = {path.name for path in objects(project).values()}
    assert before < after
    assert intact(project)


@pytest.mark.slow
def test_what_is_damaged_through_a_link_is_mended_by_a_forced_run(project):
    """As root one can write to what is read-only, and DVC's cache has the same file."""
    (kept,) = project.folder.glob(".state/train-0-*/networks/final/replicate_0.safetensors")
    output = project.folder / "models/dense/final/replicate_0.safetensors"
    project.dvc("checkout", "--relink")
    kept.unlink()
    kept.hardlink_to(output)
    before = output.read_bytes()
    output.chmod(0o644)
    output.write_bytes(bytes(len(before)))
    output.chmod(0o444)
    assert not intact(project)
    said = project.dvc("repro", "--force", "--single-item", "train")
    assert "final/replicate_0.safetensors is damaged; it is computed again" in said
    assert output.read_bytes() == before
    assert intact(project)


@pytest.mark.parametrize(
    "name", ["study", "changed", pytest.param("iterated", marks=pytest.mark.slow)]
)
def test_the_cache_is_as_it_was_written(name, request):
    found = request.getfixturevalue(name)
    assert intact(found.project)
