"""The recipes of docs/your-trainer.md, as they are written there, in each trainer."""

import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import afterprune
from stages.schedules.arm import Arm
from stages.schedules.dense import DenseRates

PAGE = Path(__file__).parents[2] / "docs/your-trainer.md"
STEPS = 12
IMAGES, LABELS = (
    torch.randn(24, 3, generator=torch.Generator().manual_seed(0)),
    torch.arange(24) % 2,
)


def recipe(heading, **names):
    """Run the code below a heading of the page; return what it defines."""
    block = re.search(rf"^## {heading}\n.*?^```python\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    names = {"afterprune": afterprune, "torch": torch, **names}
    exec(block[1], names)  # noqa: S102, the page is ours
    return names


class Watched(torch.nn.Linear):
    """A network that notes the learning rate and momentum of every step of its optimizer."""

    def __init__(self):
        super().__init__(3, 2)
        self.used = []

    def watch(self, optimizer):
        """Note what each step of the optimizer uses."""
        optimizer.register_step_pre_hook(self.note)
        return optimizer

    def note(self, optimizer, *rest):
        group = optimizer.param_groups[0]
        momentum = group["betas"][0] if "betas" in group else group["momentum"]
        self.used.append((group["lr"], momentum))

    def assert_onecycle(self, peak):
        rates = Arm("final", "onecycle").at(STEPS, 1, DenseRates.constant(peak, 0.9, 1))
        assert self.used == list(zip(rates.lr.tolist(), rates.momentum.tolist(), strict=True))


@pytest.fixture
def network(monkeypatch):
    """A network, with every optimizer of torch's noted by it."""
    watched = Watched()
    for kind in (torch.optim.SGD, torch.optim.AdamW):
        made = kind.__init__

        def init(self, *args, made=made, **options):
            made(self, *args, **options)
            watched.watch(self)

        monkeypatch.setattr(kind, "__init__", init)
    return watched


def loader():
    return DataLoader(TensorDataset(IMAGES, LABELS), batch_size=8)


def test_plain_torch(network):
    recipe("Plain torch", network=network, loader=loader(), epochs=4, cross_entropy=cross_entropy)
    network.assert_onecycle(0.1)


def test_lightning(network, tmp_path):
    lightning = pytest.importorskip("lightning")
    configure = recipe("Lightning")["configure_optimizers"]

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = network

        def training_step(self, batch):
            return cross_entropy(self.network(batch[0]), batch[1])

        configure_optimizers = configure

    trainer = lightning.Trainer(
        max_epochs=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(Module(), loader())
    network.assert_onecycle(0.1)


def test_hugging_face(network, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    network.forward = lambda x, labels: {"loss": cross_entropy(x @ network.weight.T, labels)}
    dataset = [{"x": x, "labels": y} for x, y in zip(IMAGES, LABELS, strict=True)]
    settings = {"use_cpu": True, "report_to": [], "save_strategy": "no", "disable_tqdm": True}
    recipe(
        "Hugging Face Trainer",
        network=network,
        steps=STEPS,
        dataset=dataset,
        output_dir=tmp_path,
        Trainer=transformers.Trainer,
        TrainingArguments=lambda *a, **k: transformers.TrainingArguments(*a, **k, **settings),
    )
    network.assert_onecycle(1e-3)


@pytest.mark.parametrize("by_updates", [True, False])
def test_timm(network, by_updates):
    """A run that is stopped after two epochs and resumed, in the order of timm's train.py."""
    pytest.importorskip("timm")
    saved = timm_run(network, epochs=range(2))
    assert saved["lr_scheduler"]["last_epoch"] == STEPS // 2
    saved = timm_run(network, range(2, 4), saved, by_updates)
    network.assert_onecycle(1e-3)
    assert saved["lr_scheduler"]["last_epoch"] == STEPS


def timm_run(network, epochs, saved=None, by_updates=True):
    """Train as timm's train.py does; return the states of optimizer and scheduler."""
    optimizer = import_module("timm.optim").create_optimizer_v2(network, opt="adamw", lr=1e-3)
    if saved:
        optimizer.load_state_dict(saved["optimizer"])
    updates_per_epoch, names = 3, {"args": SimpleNamespace(epochs=4), "optimizer": optimizer}
    made = recipe("timm", network=network, updates_per_epoch=updates_per_epoch, **names)
    scheduler = made["lr_scheduler"]
    if epochs[0] and by_updates:
        scheduler.step_update(epochs[0] * updates_per_epoch)
    elif epochs[0]:
        scheduler.step(epochs[0])
    assert (made["num_epochs"], scheduler.t_in_epochs) == (4, False)  # both are logged
    for epoch in epochs:
        done = epoch * updates_per_epoch
        for images, labels in loader():
            cross_entropy(network(images), labels).backward()
            optimizer.step()
            done += 1
            scheduler.step_update(num_updates=done, metric=1.0)
        scheduler.step(epoch + 1, 0.5)
    return {"optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict()}


def test_ultralytics_as_far_as_it_goes_without_it(network):
    """Its trainer is played by an object that calls back in the same order."""
    callbacks = {}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    own = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5)

    def add(event, callback):
        callbacks.setdefault(event, []).append(callback)

    def train(**settings):
        assert settings["batch"] == settings["nbs"]
        assert settings["warmup_epochs"] == 0
        trainer = SimpleNamespace(
            epochs=4, train_loader=loader(), optimizer=optimizer, scheduler=own, add_callback=add
        )
        callbacks["on_train_start"][0](trainer)
        for _ in range(4):
            trainer.scheduler.step()
            for images, labels in loader():
                cross_entropy(network(images), labels).backward()
                optimizer.step()
                for callback in callbacks["on_train_batch_end"]:
                    callback(trainer)

    optimizer.param_groups[0]["initial_lr"] = 0.1
    recipe("Ultralytics", model=SimpleNamespace(add_callback=add, train=train), data="")
    network.assert_onecycle(0.1)


def test_the_first_examples_run():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    names = {"optimizer": optimizer, "total_steps": 60, "steps_per_epoch": 3}
    text = PAGE.read_text().partition("## Plain torch")[0]
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M):
        exec(block, {"afterprune": afterprune, **names})  # noqa: S102
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001)  # the dense run's last
