from itertools import combinations

import numpy as np
import pytest

from stages.presets.preset import preset_files, read_params
from stages.reporting.lines import lines_of
from stages.reporting.style import COLORS, DARK, EDGE, GREY, INK, KNOWN, PAPER, contrast, looks
from stages.schedules.registry import PRESCRIPTIONS

STUDIES = {
    "digits": ["finetune", "weight_rewind", "lr_rewind", "scaled", "onecycle"],
    "criteria": ["finetune", "onecycle"],
    "ablation": ["scaled", "per_step", "cosine", "low_end", "onecycle"],
    "budgets": ["finetune", "lr_rewind", "scaled", "onecycle"],
    "literature": [name for name in KNOWN if name not in ("low_end", "per_step")],
    "own": ["mine", "onecycle", "onecycle_low_peak", "finetune"],
}


def test_the_same_schedule_has_the_same_look_in_every_study():
    seen = {}
    for names in STUDIES.values():
        for name, look in looks(names).items():
            assert seen.setdefault(name, look) == look
    assert seen["onecycle"].color == COLORS["orange"]


@pytest.mark.parametrize("names", STUDIES.values(), ids=STUDIES)
def test_the_order_of_a_study_plays_no_part(names):
    assert looks(names[::-1]) == looks(names)


@pytest.mark.parametrize("names", [*STUDIES.values(), [f"mine_{c}" for c in "abcdefghijkl"]])
def test_the_schedules_of_a_study_look_different(names):
    assert len({(look.color, look.dash) for look in looks(names).values()}) == len(names)


def test_the_presets_show_the_same_schedule_alike():
    seen = {}
    for path in preset_files().values():
        lines = lines_of(read_params(path)["retrain"]["schedules"])
        for name, look in looks(lines).items():
            assert seen.setdefault(name, look) == look
    own = {name: look for name, look in seen.items() if name not in PRESCRIPTIONS}
    assert len({(look.color, look.dash) for look in own.values()}) == len(own)


def test_a_budget_behind_the_name_changes_nothing():
    assert looks(["onecycle_40"])["onecycle_40"] == looks(["onecycle"])["onecycle"]
    assert looks(["mine72"])["mine72"] == looks(["mine"])["mine"]


def test_a_variant_has_the_colour_of_its_kind_in_another_pattern():
    both = looks(["onecycle", "onecycle_low_peak", "onecycle_40"])
    assert {look.color for look in both.values()} == {COLORS["orange"]}
    assert len({look.dash for look in both.values()}) == 3
    assert both["onecycle"].dash == "-"


def test_an_unknown_name_has_no_colour_of_a_known_one():
    known = {COLORS[color] for color, _ in KNOWN.values()}
    assert {looks([name])[name].color for name in ("mine", "yours", "a", "b")}.isdisjoint(known)


def test_more_names_than_looks_share_them():
    assert len(looks([f"x_{'abcdefgh'[i % 8]}_{i}y" for i in range(50)])) == 50


# full colour blindness by kind, linear sRGB to linear sRGB (Machado 2009, table 1, severity 1)
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(color, vision):
    """Return a colour's CIELAB coordinates, white D65, as that vision sees it."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(vision @ linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_colour_blind_readers_tell_the_colours_apart(vision):
    seen = [lab(color, np.array(VISION[vision])) for color in COLORS.values()]
    # a difference of 2.3 is just noticeable
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 16


def test_contrast_is_that_of_the_published_examples():
    """WCAG 2.2: black on white is 21, and #767676 the lightest grey of 4.5 on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21, rel=1e-12)
    assert contrast("#ffffff", "#ffffff") == 1
    assert contrast("#ffffff", "#777777") < 4.5 <= contrast("#767676", "#ffffff")


@pytest.mark.parametrize("paper", [PAPER, DARK[PAPER]])
@pytest.mark.parametrize("color", COLORS.values(), ids=COLORS)
def test_every_colour_of_data_stands_out_on_white_and_on_a_dark_screen(color, paper):
    assert contrast(color, paper) >= 3


@pytest.mark.parametrize(
    ("light", "least"), [(INK, 4.5), (GREY, 4.5), (EDGE, 3)], ids=["text", "notes", "axes"]
)
def test_text_and_axes_stand_out_on_white_and_turned_around_on_a_dark_screen(light, least):
    assert contrast(light, PAPER) >= least
    assert contrast(DARK[light], DARK[PAPER]) >= least
    assert light not in COLORS.values()
