"""What is seen of a run: a line a minute in a pipe, a bar on a terminal."""

import io
import sys

from stages.training.display import display


def test_a_pipe_gets_a_line_a_minute_without_control_characters(capsys):
    """Epochs of 25 s, from epoch 3 on: those that end at 75, 150 and 225 s are shown."""
    now = 0.0
    with display("dense 2", 20, 3, 0, clock=lambda: now) as show:
        for epoch in range(10):
            now += 25
            show(f"loss {epoch}")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "dense 2: epoch 6/20, loss 2\ndense 2: epoch 9/20, loss 5\ndense 2: epoch 12/20, loss 8\n"
    )


class Terminal(io.StringIO):
    """A terminal that remembers what it showed."""

    def isatty(self):
        return True


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with display("dense 2", 20, 3, 0) as show:
        show("loss 1.5")
    assert "dense 2: epoch 3/20" in terminal.getvalue()
    assert "\r" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
