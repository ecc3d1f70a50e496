from dataclasses import replace

import pytest

from stages.reporting.sections import networks
from tests.reporting.helpers import report_of


@pytest.fixture
def results(make_study):
    return report_of(make_study(["l1"], ["finetune"]), ["l1"], ["finetune"]).results


def test_masked_weights_count_as_removed(results):
    masked = results.pruned["l1"].model_copy(
        update={"granularity": "weight", "parameters": 853018, "nonzero": 85302}
    )
    changed = replace(results, pruned={"l1": masked})
    table = networks.table(changed).set_index("network")
    assert table.loc["pruned", "parameters_kept_percent"] == pytest.approx(10, abs=1e-3)
    assert "Weights that a mask holds at zero are not among" in networks.text(changed)


def test_the_dense_network_stands_above_every_method(results):
    page = networks.text(results)
    # replicates 93.4, 93.5, 93.6; 62.0, 62.1, 62.2; 80.0, 80.1, 80.2
    assert "| dense | 93.50 ± 0.10 | – | 853,018 | 100.0 | 125.5 M | 100.0 | – | 3 |" in page
    assert "| pruned by `l1` | 62.10 ± 0.10 | 80.10 ± 0.10 | 735,712 | 86.2 | 90.9 M |" in page


def test_recalibration_is_shown_only_where_it_changes_a_network(results):
    assert "Recalibrated" in networks.text(results)
    pruned = results.pruned["l1"]
    same = pruned.model_copy(update={"recalibrated": pruned.replicates})
    page = networks.text(replace(results, pruned={"l1": same}))
    assert "| dense | 93.50 ± 0.10 | 853,018 |" in page
    assert "| pruned by `l1` | 62.10 ± 0.10 | 735,712 |" in page
    assert "Recalibrated" not in page
    assert "BatchNorm" not in page
    assert "MACs are the multiply-accumulates" in page


def test_a_method_that_prunes_in_rounds_says_which_round_is_shown(results):
    arm = results.arms["l1", "finetune"].model_copy(update={"rounds": 3})
    page = networks.text(replace(results, arms={("l1", "finetune"): arm}))
    assert "pruned by `l1`, round 1 of 3" in page
    assert "is shown after its first" in page
