"""The notes at the end of the page: what its words and brackets mean."""

from stages.reporting.findings import Findings
from stages.reporting.markdown import level
from stages.reporting.measures import last_validation


def reading(found: Findings) -> str:
    """A list of notes."""
    confidence = level(found.settings.confidence)
    validated = any(last_validation(arm).notna().any() for arm in found.study.arms.values())
    selected = (
        "**Selected** is test accuracy at the epoch that validation picks. " if validated else ""
    )
    lines = [
        "**Test** is top-1 test accuracy after the last epoch, mean ± sample standard deviation "
        f"over n replicates: the headline. {selected}**Best of test** is the highest test "
        "accuracy of any epoch; it has seen the test data, and its lead over **Test** is that "
        "bias. It decides nothing here.",
        "A replicate is a seed. Replicate i of every arm starts from dense network i, and all "
        "arms of a method share its mask, so arms are compared **in pairs by seed**.",
        f"Brackets hold {confidence} t-intervals of the paired difference, each by itself. An arm "
        "**wins** only if it beats every other arm of the same method and epochs with intervals "
        f"that hold {confidence} together (Bonferroni).",
        "Which arm is highest is read off the same test data, so its lead is a little flattered; "
        "fresh seeds settle a close call.",
        "Intervals cover variation between seeds, not the finite test set. With two or three "
        "seeds they are wide; one seed gives none.",
        "**Cost** is the MACs spent on retraining in percent of those spent on dense training.",
    ]
    if any(arm.start == "fresh" for arm in found.study.arms.values()):
        lines.append(
            "Arms that start fresh train the pruned network from random weights: controls, never "
            "chosen as the best schedule."
        )
    return "\n".join(f"- {line}" for line in lines)
