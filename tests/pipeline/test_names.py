"""Names from params.yaml on their way to a command: no shell interprets them."""

import pytest

HOSTILE = {
    "x;touch pwned": "in one line",
    "x' ; touch pwned; '": "with quotes",
    "$(touch pwned)": "as a substitution",
    "x\ntouch pwned": "in two lines",
    "x' \n touch pwned #": "in two lines with a quote",
    "x>pwned": "as a redirection",
}


@pytest.mark.parametrize("name", HOSTILE, ids=HOSTILE.values())
def test_a_name_never_runs(name, project):
    project.set("prune.methods", {name: project.params()["prune"]["methods"]["l1"]})
    project.dvc("repro", "-s", f"prune@{name}", code=255)
    assert not (project.folder / "pwned").exists()


def test_a_name_that_the_shell_was_kept_from_is_refused_by_the_stage(project):
    project.set("prune.methods", {"x;touch pwned": project.params()["prune"]["methods"]["l1"]})
    said = project.dvc("repro", "-s", "prune@x;touch pwned", code=255)
    assert "--method is 'x;touch pwned'; a name should match [a-z][a-z0-9_]{0,63}\n" in said
