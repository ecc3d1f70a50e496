"""Values of params.yaml that cannot be: `validate` tells each in a line, before anything runs."""

from pathlib import Path

import pytest

from stages import validate
from tests.mistakes.edits import GONE, edit
from tests.mistakes.harness import call, check, nothing_done

WHOLE = "it should be a valid integer"
NUMBER = "it should be a valid number"
SWITCH = "it should be a valid boolean"
TEXT = "it should be a valid string"
MAPPING = "it should be a mapping of keys to values"
LIST = "it should be a list"
NAME = "it should match pattern '^[a-z][a-z0-9_]{0,63}$'"
FINITE = "it should be a finite number"
RISING = "it should be in rising order, each value once"
MISSING = "is missing; it has no default"


def at_least(limit):
    return f"it should be greater than or equal to {limit}"


def at_most(limit):
    return f"it should be less than or equal to {limit}"


L1 = "{granularity: filter, criterion: l1, allocation: {kind: uniform, ratio: 0.5}}"
N_M = "{granularity: weight, criterion: magnitude, allocation: {kind: n_m, n: 2, m: 4}}"
CRITERIA = "fpgm, hrank, l1, l2, random, slimming, taylor"

VALUES: dict[str, dict[str, str]] = {
    "seed": {
        "true": f"is True; {WHOLE}",
        "'0'": f"is '0'; {WHOLE}",
        "1.0": f"is 1.0; {WHOLE}",
        "null": f"is None; {WHOLE}",
        "[1]": f"is [1]; {WHOLE}",
        "yes": f"is 'yes'; {WHOLE}",
        "12:30": f"is '12:30'; {WHOLE}",
        "-1": f"is -1; {at_least(0)}",
        "4294967296": "is 4294967296; it should be less than 4294967296",
        "9" * 19: f"is {'9' * 19}; it should be less than 4294967296",
        "9" * 4000: "seed is a whole number of more than 64 bits",
        GONE: MISSING,
    },
    "seeds": {
        "0": f"is 0; {at_least(1)}",
        "1000000000": f"is 1000000000; {at_most(10000)}",
        "2.5": f"is 2.5; {WHOLE}",
        "many": f"is 'many'; {WHOLE}",
    },
    "compute": {
        "null": f"is None; {MAPPING}",
        "3": f"is 3; {MAPPING}",
        "[x]": f"is ['x']; {MAPPING}",
    },
    "compute.device": {
        "gpu": "is 'gpu'; it should match pattern",
        "cuda:x": "is 'cuda:x'; it should match pattern",
        "0": f"is 0; {TEXT}",
        "CPU": "is 'CPU'; it should match pattern",
    },
    "compute.threads": {
        "0": f"is 0; {at_least(1)}",
        "100000": f"is 100000; {at_most(1024)}",
        "true": f"is True; {WHOLE}",
    },
    "compute.precision": {
        "float16": "is 'float16'; did you mean 'bfloat16'? valid: bfloat16, float32",
        "32": "is 32; valid: bfloat16, float32",
    },
    "compute.graph": {
        "1": f"is 1; {SWITCH}",
        "yes": f"is 'yes'; {SWITCH}",
        "null": f"is None; {SWITCH}",
    },
    "compute.channels_last": {"'true'": f"is 'true'; {SWITCH}"},
    "compute.evaluation_batch_size": {"0": f"is 0; {at_least(1)}"},
    "compute.thread": {"1": "is no known key; did you mean 'threads'?"},
    "data": {
        "null": "is None;",
        "digits": "is 'digits';",
        "{}": "source is missing; it has no default",
        "{source: folder, channels: true}": "channels is True; it should be 1 or 3",
        "{source: folder, channels: 1.0}": "channels is 1.0; it should be 1 or 3",
        "{source: folder, channels: 4}": "channels is 4; valid: 1, 3",
        "{source: folder, size: true}": f"size is True; {WHOLE}",
        "{source: folder, size: 0}": f"size is 0; {at_least(1)}",
        "{source: folder, size: 10000000}": f"size is 10000000; {at_most(8192)}",
        "{source: folder, sise: 3}": "sise is no known key; did you mean 'size'?",
        "{source: digits, size: 8}": "size is no known key",
        "{source: medmnist}": "set is missing; it has no default",
        "{source: medmnist, set: bloodmist}": "set is 'bloodmist'; did you mean 'bloodmnist'?",
        "{source: medmnist, set: bloodmnist, size: 32}": "size is 32; valid: 128, 224, 28, 64",
        "{source: mnist1d, train: 5}": f"train is 5; {at_least(10)}",
        "{source: mnist1d, test: 10000000}": f"test is 10000000; {at_most(1000000)}",
        "{source: mnist1d, signal_seed: -1}": f"signal_seed is -1; {at_least(0)}",
        "{source: arrays, channels_last: 1}": f"channels_last is 1; {SWITCH}",
    },
    "data.source": {
        "digit": "is 'digit'; did you mean 'digits'? valid: arrays, cifar10, cifar100, digits,",
        "MNIST": "is 'MNIST'; valid: arrays, cifar10, cifar100, digits, fashion_mnist, folder,",
        "null": "is None; valid: arrays, cifar10,",
        "[digits]": "is ['digits']; valid: arrays, cifar10,",
    },
    "data.root": {
        "data/nope": "is 'data/nope'; it should be a folder that exists",
        "params.yaml": "is 'params.yaml'; it should be a folder that exists",
        "null": f"is None; {TEXT}",
        "3": f"is 3; {TEXT}",
        "''": "is ''; it should have at least 1 character",
        "x" * 300: "…; it should have at most 255 characters",
        '"a\\nb"': "is 'a\\nb'; it should be a folder that exists",
        '"a\\0b"': "is 'a\\x00b'; it should be a folder that exists",
    },
    "data.validation": {
        "1": "is 1; it should be less than 0.9",
        "-0.1": f"is -0.1; {at_least(0)}",
        ".nan": "is nan; it should be",
        "'0.1'": f"is '0.1'; {NUMBER}",
        "10%": f"is '10%'; {NUMBER}",
    },
    "data.seed": {"-1": f"is -1; {at_least(0)}"},
    "data.train_limit": {"0": f"is 0; {at_least(1)}", "1.5": f"is 1.5; {WHOLE}"},
    "data.test_limit": {"-5": f"is -5; {at_least(1)}"},
    "model": {"null": ".code is missing", "resnet8": ".code is missing"},
    "model.code": {
        "net.py": "is 'net.py'; it should be a Python file of this project",
        "stages/models": "is 'stages/models'; it should be a Python file of this project",
        "null": f"is None; {TEXT}",
        "x" * 300: "…; it should have at most 255 characters",
        '"a\\nb.py"': "is 'a\\nb.py'; it should be a Python file of this project",
        "../x.py": "is '../x.py'; it should be a Python file of this project",
        "README.md": "is 'README.md'; line 13 is not valid Python: ",
    },
    "model.factory": {
        "resnet9": "is 'resnet9'; did you mean 'resnet8'? valid: ",
        "ResNet8": "is 'ResNet8'; did you mean 'resnet8'? valid: ",
        "null": f"is None; {TEXT}",
        "''": "is ''; valid: ",
    },
    "model.options": {
        "{width: 4, num_classes: 3}": "it should not hold num_classes, which follows from the data",
        "{in_channels: 1}": "it should not hold in_channels, which follows from the data",
        "[1]": f"is [1]; {MAPPING}",
        "{1: 2}": "1 is 1; it should be a valid string",
    },
    "train": {"null": f"is None; {MAPPING}"},
    "train.epochs": {
        "0": f"is 0; {at_least(1)}",
        "1000000000000": f"is 1000000000000; {at_most(100000)}",
        "1e12": f"is 1000000000000.0; {WHOLE}",
        "20.0": f"is 20.0; {WHOLE}",
        GONE: MISSING,
    },
    "train.lr": {
        "0": "is 0; it should be greater than or equal to 1e-30",
        "-0.1": "is -0.1; it should be greater than or equal to 1e-30",
        ".inf": "is inf; it should be less than or equal to 1e+30",
        ".nan": "is nan; it should be",
        "'0.1'": f"is '0.1'; {NUMBER}",
        "true": f"is True; {NUMBER}",
        "max": f"is 'max'; {NUMBER}",
    },
    "train.schedule": {
        "step": f"is 'step'; {MAPPING}",
        "{}": "curve is missing; it has no default",
        "{curve: stp}": "curve is 'stp'; did you mean 'step'? valid: ",
        "{curve: step}": "milestones is missing; it has no default",
        "{curve: step, milestones: 3}": f"milestones is 3; {LIST}",
        "{curve: step, milestones: [15, 10]}": f"milestones is [15, 10]; {RISING}",
        "{curve: step, milestones: [10, 10]}": f"milestones is [10, 10]; {RISING}",
        "{curve: step, milestones: [-1]}": f"milestones.0 is -1; {at_least(0)}",
        "{curve: step, milestones: [10, 20]}": "milestones has 20; the dense run ends at epoch 20",
        "{curve: step, milestones: ['10']}": f"milestones.0 is '10'; {WHOLE}",
        "{curve: step, milestones: [5], factor: 0}": "factor is 0; it should be greater than 0",
        "{curve: step, milestones: [5], warmup: 1}": "warmup is 1; it should be less than 1",
        "{curve: cosine, start: final}": "start is no known key",
        "{curve: replay}": "train.schedule",
    },
    "train.checkpoint_every": {"0": f"is 0; {at_least(1)}"},
    "train.devices": {
        "0": f"is 0; {at_least(1)}",
        "3": "batch_size is 64; with train.devices 3 it should be a multiple of 3",
        "100000": f"is 100000; {at_most(1024)}",
    },
    "train.recipe": {"null": f"is None; {MAPPING}", "{}": "batch_size is missing"},
    "train.recipe.batch_size": {
        "1": f"is 1; {at_least(2)}",
        "64.0": f"is 64.0; {WHOLE}",
        "null": f"is None; {WHOLE}",
    },
    "train.recipe.optimizer": {
        "sgd": "is 'sgd';",
        "{kind: sdg}": "kind is 'sdg'; did you mean 'sgd'? valid: adamw, sgd",
        "{kind: sgd, momentum: 1}": "momentum is 1; it should be less than 1",
        "{kind: sgd, momentum: 0, nesterov: true}": "with nesterov: true it should be above 0",
        "{kind: sgd, weight_decay: .inf}": f"weight_decay is inf; {FINITE}",
        "{kind: sgd, weight_decay: -1}": f"weight_decay is -1; {at_least(0)}",
        "{kind: sgd, beta2: 0.9}": "beta2 is no known key; valid: kind, momentum, nesterov,",
        "{kind: adamw, beta2: 1}": "beta2 is 1; it should be less than 1",
        "{kind: adamw, eps: 0}": "eps is 0; it should be greater than 0",
        "{momentum: 0.9}": "kind is missing; it has no default",
    },
    "train.recipe.loss": {
        "{kind: crossentropy}": "kind is 'crossentropy'; did you mean 'cross_entropy'? valid: ",
        "{kind: label_smoothing}": "smoothing is missing; it has no default",
        "{kind: label_smoothing, smoothing: 1}": "smoothing is 1; it should be less than 1",
        "{kind: cross_entropy, smoothing: 0.1}": "smoothing is no known key; valid: kind",
    },
    "train.recipe.augment": {
        "{crop: 4}": f"crop is 4; {MAPPING}",
        "{crop: {pad: 8}}": "pad is 8; for images of 8x8 pixels it should be less than 8",
        "{crop: {pad: 0}}": f"pad is 0; {at_least(1)}",
        "{crop: {pad: true}}": f"pad is True; {WHOLE}",
        "{crop: {}}": "pad is missing; it has no default",
        "{flip: true}": f"flip is True; {MAPPING}",
        "{flp: {}}": "flp is no known key; did you mean 'flip'? valid: crop, flip, resized_crop",
        "{resized_crop: {scale: [1, 0.5]}}": "scale is [1, 0.5]; it should be two numbers, the",
        "{resized_crop: {scale: [0, 1]}}": "scale.0 is 0; it should be greater than 0",
        "{resized_crop: {ratio: 1}}": f"ratio is 1; {LIST}",
    },
    "prune": {"null": f"is None; {MAPPING}"},
    "prune.method": {
        "l11": "is 'l11'; did you mean 'l1'? valid: l1, random",
        "null": f"is None; {TEXT}",
        "m" * 300: "…; valid: l1, random",
    },
    "prune.calibration": {
        "{batches: 0}": f"batches is 0; {at_least(1)}",
        "{batch_size: 1}": f"batch_size is 1; {at_least(2)}",
        "{batchs: 1}": "batchs is no known key; did you mean 'batches'?",
    },
    "prune.methods": {
        "null": f"is None; {MAPPING}",
        "[]": f"is []; {MAPPING}",
        f"{{l1: {L1}, random: {L1}, Bad-Name: {L1}}}": f"Bad-Name is 'Bad-Name'; {NAME}",
        f"{{l1: {L1}, random: {L1}, '': {L1}}}": f"is ''; {NAME}",
        f"{{l1: {L1}, random: {L1}, x;touch y: {L1}}}": f"is 'x;touch y'; {NAME}",
        f'{{l1: {L1}, random: {L1}, "a\\nb": {L1}}}': f"'prune.methods.a\\nb' is 'a\\nb'; {NAME}",
        f"{{l1: {L1}, random: {L1}, {'m' * 120}: {L1}}}": f"…; {NAME}",
        f"{{l1: {L1}, random: {L1}, 2: {L1}}}": "2 is 2; it should",
        f"{{l1: {L1}, random: {L1}, dense: {L1}}}": "the name stands for the network before",
    },
    "prune.methods.l1": {
        "null": "is None;",
        "{}": "granularity is missing; it has no default",
        "{granularity: filters}": "granularity is 'filters'; did you mean 'filter'? valid: ",
        "{granularity: filter}": "criterion is missing; it has no default",
        "{granularity: filter, criterion: l3}": f"criterion is 'l3'; valid: {CRITERIA}",
        "{granularity: filter, criterion: magnitude}": f"is 'magnitude'; valid: {CRITERIA}",
        "{granularity: weight, criterion: l1}": "criterion is 'l1'; valid: magnitude, random,",
        "{granularity: filter, criterion: l1}": "allocation is missing; it has no default",
    },
    "prune.methods.l1.scope": {"block": "is 'block'; did you mean 'blocks'? valid: all, blocks"},
    "prune.methods.l1.units": {
        "[]": "it should hold one value or more, each once",
        "heads": "is 'heads'; it should be",
        "[head]": "is 'head'; did you mean 'heads'? valid: channels, heads, neurons",
        "[heads, heads]": "it should hold one value or more, each once",
    },
    "prune.methods.l1.linear": {"true": "is no known key"},
    "prune.methods.l1.allocation": {
        "uniform": "is 'uniform';",
        "{kind: unifrom}": "kind is 'unifrom'; did you mean 'uniform'? valid: global, per_stage,",
        "{kind: erk, sparsity: 0.5}": "kind is 'erk'; valid: global, per_stage, plan, target,",
        "{kind: uniform}": "ratio is missing; it has no default",
        "{kind: uniform, ratio: 1}": "ratio is 1; it should be less than 1",
        "{kind: uniform, ratio: 70%}": f"ratio is '70%'; {NUMBER}",
        "{kind: uniform, ratio: 0.5, sparsity: 0.5}": "sparsity is no known key; valid: kind,",
        "{kind: per_stage, ratios: []}": "ratios is []; it should have at least 1 item",
        "{kind: plan, name: ResNet-56-E}": "name is 'ResNet-56-E'; did you mean 'ResNet-56-",
        "{kind: target, by: all}": "by is 'all'; valid: global, uniform",
    },
    "prune.iterative": {
        "null": f"is None; {MAPPING}",
        "{again: 3}": "again is 3;",
        f"{{again: {L1}}}": "rounds is missing; it has no default",
        f"{{again: {L1[:-1]}, rounds: 0}}}}": "rounds is 0;",
        f"{{again: {L1[:-1]}, rounds: 1000000000}}}}": f"rounds is 1000000000; {at_most(1000)}",
        f"{{again: {L1[:-1]}, rounds: []}}}}": "rounds is [];",
        f"{{again: {N_M[:-1]}, rounds: 3}}}}": "allocation 'n_m' removes nothing after round 1",
        f"{{l1: {L1[:-1]}, rounds: 2}}}}": "iterative.l1: prune.methods has that name too;",
    },
    "retrain": {"null": f"is None; {MAPPING}"},
    "retrain.schedule": {
        "one_cycle": "is 'one_cycle'; did you mean 'onecycle'? valid: finetune, finetune_tuned,",
        "null": f"is None; {TEXT}",
    },
    "retrain.epochs": {
        "0": f"is 0; {at_least(1)}",
        "dense": f"is 'dense'; {WHOLE}",
        "1000000000000": f"is 1000000000000; {at_most(100000)}",
    },
    "retrain.schedules.onecycle": {
        "null": "is None;",
        "onecycle": f"is 'onecycle'; {MAPPING}",
        "{curve: oncycle}": "curve is 'oncycle'; did you mean 'onecycle'? valid: ",
        "{curve: onecycle, max_lr: 0}": "max_lr is 0; it should be greater than or equal to 1e-30",
        "{curve: onecycle, max_lr: maxx}": "did you mean 'max'? valid: last, max",
        "{curve: onecycle, maxlr: 0.1}": "maxlr is no known key; did you mean 'max_lr'?",
        "{curve: onecycle, start: finl}": "start is 'finl'; did you mean 'final'? valid: final,",
        "{curve: onecycle, momentum: 1}": "momentum is 1; it should be less than 1",
        "{curve: onecycle, epochs: 0}": f"epochs is 0; {at_least(1)}",
        "{curve: onecycle, epochs: 10000000}": f"epochs is 10000000; {at_most(100000)}",
        "{curve: onecycle, epochs: densest}": "did you mean 'dense'? valid: dense, dense_macs",
        "{curve: step, milestones: [50]}": "milestones has 50; the arm ends at epoch 8",
        "{curve: scaled, drops: [0.75, 0.5]}": f"drops is [0.75, 0.5]; {RISING}",
        "{curve: replay, epochs: dense_macs}": "epochs is 'dense_macs', longer than the dense run",
        "{curve: replay, epochs: 21}": "replay: 21 epochs, more than",
        "{curve: constant, start: rewound, epochs: 21}": "epochs: 21 for a rewound arm",
        "{curve: onecycle, optimiser: {kind: sgd}}": "did you mean 'optimizer'?",
        "{curve: onecycle, optimizer: sgd}": "optimizer is 'sgd';",
        "{curve: onecycle, optimizer: {kind: sdg}}": "did you mean 'sgd'? valid: adamw, sgd",
        "{curve: onecycle, optimizer: {kind: sgd, momentum: 0.9}}": "momentum is no known key;",
        "{curve: replay, start: rewound, optimizer: {kind: adamw}}": "it should be 'sgd'",
        "{curve: onecycle, weight_decay: -1}": f"weight_decay is -1; {at_least(0)}",
        "{curve: onecycle, weight_decay: .inf}": f"weight_decay is inf; {FINITE}",
        "{curve: onecycle, weight_decay: true}": f"weight_decay is True; {NUMBER}",
        "{curve: onecycle, trainable: norms}": "trainable is 'norms'; did you mean 'norm'? valid:",
        "{curve: onecycle, trainable: []}": "trainable is []; it should have at least 1 item",
        "{curve: onecycle, trainable: [norm, hed]}": "trainable.1 is 'hed'; did you mean 'head'?",
        "{curve: onecycle, trainable: {blocks: 0}}": f"trainable.blocks is 0; {at_least(1)}",
        "{curve: onecycle, trainable: {block: 1}}": "is no known key; did you mean 'blocks'?",
        "{curve: onecycle, trainable: 3}": "trainable is 3; ",
        "{curve: onecycle, teacher: dense}": f"teacher is 'dense'; {MAPPING}",
        "{curve: onecycle, teacher: {weight: 0}}": "weight is 0; it should be greater than 0",
        "{curve: onecycle, teacher: {weight: 2}}": f"teacher.weight is 2; {at_most(1)}",
        "{curve: onecycle, teacher: {temperature: 0}}": "it should be greater than 0",
        "{curve: onecycle, teacher: {scale: squared}}": "valid: none, temperature_squared",
        "{curve: onecycle, teacher: {temperatur: 2}}": "did you mean 'temperature'?",
        "{curve: onecycle, average: ema}": "average is 'ema';",
        "{curve: onecycle, average: {}}": "average.kind is missing; it has no default",
        "{curve: onecycle, average: {kind: sma}}": "did you mean 'swa'? valid: ema, swa",
        "{curve: onecycle, average: {kind: ema, horizon: 0}}": "it should be greater than 0",
        "{curve: onecycle, average: {kind: swa, last: 2}}": f"average.last is 2; {at_most(1)}",
        "{curve: onecycle, average: {kind: swa, horizon: 1}}": "horizon is no known key;",
        "{curve: onecycle, average: {kind: ema, batchnorm: no}}": "valid: keep, reestimate",
        "{curve: onecycle, repair: batchnrm}": "repair is 'batchnrm'; did you mean 'batchnorm'?",
        "{curve: onecycle, repair: true}": "repair is True; valid: batchnorm",
        "{curve: onecycle, state: keep}": "state is 'keep'; did you mean 'kept'? valid: fresh",
        "{curve: onecycle, start: fresh, state: kept}": "state is 'kept'; with start: fresh it",
        "{curve: linear, max_lr: 1, state: kept, optimizer: {kind: adamw}}": "or state: fresh",
        "{curve: onecycle, optimizer: {kind: adamw}}": "onecycle: max_lr is 'max', a learning",
        "{curve: linear, momentum: 0, optimizer: {kind: sgd, nesterov: true}}": "momentum is 0;",
        "{curve: onecycle, sharpness: 0.05}": f"sharpness is 0.05; {MAPPING}",
        "{curve: onecycle, sharpness: {rho: 0}}": "rho is 0; it should be greater than 0",
        "{curve: onecycle, label_smoothing: 1}": "label_smoothing is 1; it should be less than 1",
        "{curve: onecycle, label_smoothing: '0.1'}": f"label_smoothing is '0.1'; {NUMBER}",
    },
    "compare": {"null": f"is None; {MAPPING}"},
    "compare.baseline": {
        GONE: MISSING,
        "finetun": "is 'finetun'; did you mean 'finetune'? valid: finetune,",
    },
    "compare.informed": {"no": "is 'no'; valid: l1, random"},
    "compare.random": {"rndom": "is 'rndom'; did you mean 'random'? valid: l1, random"},
    "latency.l2": {"{}": "no method of prune.methods; valid: l1, random"},
    "corruptions": {"[l1]": f"is ['l1']; {MAPPING}", "null": f"is None; {MAPPING}"},
    "corruptions.l2": {"{}": "no method of prune.methods; valid: l1, random"},
    "corruptions.l1": {
        "null": f"is None; {MAPPING}",
        "{kind: [jpeg]}": "kind is no known key; did you mean 'kinds'? valid: kinds, severities",
        "{kinds: []}": "kinds is []; it should have at least 1 item after validation, not 0",
        "{kinds: jpeg}": f"kinds is 'jpeg'; {LIST}",
        "{kinds: [jpg]}": "kinds.0 is 'jpg'; did you mean 'jpeg'? valid: brightness, contrast,",
        "{kinds: [jpeg, jpeg]}": "kinds is ['jpeg', 'jpeg']; it should hold each kind once",
        "{severities: []}": "severities is []; it should have at least 1 item",
        "{severities: 3}": f"severities is 3; {LIST}",
        "{severities: [0]}": f"severities.0 is 0; {at_least(1)}",
        "{severities: [6]}": f"severities.0 is 6; {at_most(5)}",
        "{severities: [1.5]}": f"severities.0 is 1.5; {WHOLE}",
        "{severities: [3, 1]}": f"severities is [3, 1]; {RISING}",
    },
    "compare.confidence": {
        "1": "is 1; it should be less than 1",
        "95": "is 95; it should be less than 1",
        "0.5": "is 0.5; it should be greater than 0.5",
    },
    "compare.path": {
        "[scaled]": "is ['scaled']; it should hold two or more, each once",
        "[scaled, scaled]": "is ['scaled', 'scaled']; it should hold two or more, each once",
        "scaled": f"is 'scaled'; {LIST}",
        "[scaled, onecycl]": "path.1 is 'onecycl'; did you mean 'onecycle'?",
    },
    "compare.looks": {
        "6": f"is 6; {LIST}",
        "[2, 6]": f"compare.looks.0 is 2; {at_least(3)}",
        "[6, 9.5]": f"compare.looks.1 is 9.5; {WHOLE}",
        "[6, 6]": f"is [6, 6]; {RISING}",
        "[9, 6]": f"is [9, 6]; {RISING}",
        "[6, 20000]": f"compare.looks.1 is 20000; {at_most(10000)}",
        "[6, 9]": "seeds is 10; with compare.looks [6, 9] it should be from 6 to 9",
        "[16, 20]": "seeds is 10; with compare.looks [16, 20] it should be from 16 to 20",
        f"{list(range(3, 24))}": "it should have at most 20 items",
    },
    "compare.margin": {"-1": f"is -1; {at_least(0)}", ".nan": "is nan; it should be"},
    "sed": {"0": "is no known key; did you mean 'seed'?"},
    "evaluate": {"{batch_size: 3}": "is no known key; valid: compare, compute, corruptions,"},
}
"""What the line holds behind the key, by key and by the value's text in YAML."""
CASES = [(key, text, rule) for key, told in VALUES.items() for text, rule in told.items()]


@pytest.mark.parametrize(("key", "text", "rule"), CASES)
@pytest.mark.usefixtures("project")
def test_a_bad_value_is_a_line(key, text, rule):
    edit({key: text})
    with nothing_done(Path()):
        ended = call(validate.app)
    check(ended, rule)
    assert ended.err[0].startswith("params.yaml: ")
    if not any(len(name) > 64 for name in (key, text)):
        assert key in ended.err[0]
