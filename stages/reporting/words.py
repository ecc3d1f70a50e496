"""Names, numbers and lists as a sentence has them."""

from collections.abc import Iterable, Sequence

MOST_NAMES = 3
"""Names that a sentence spells out."""
AGREE = "two differences that agree to the digit show no spread"
"""Why a pair of two replicates may be undecided although no interval of it spans 0."""

NUMBERS = "no", "one", "two", "three", "four", "five", "six"


def code(name: str) -> str:
    """A name from params.yaml."""
    return f"`{name}`"


def listed(names: Sequence[str], word: str = "and") -> str:
    """Join names as a sentence does: `a`, `b` and `c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def crowd(names: Sequence[str]) -> str:
    """Names as alternatives; of many, how many they are, and the first."""
    named = [code(name) for name in names]
    if len(named) <= MOST_NAMES:
        return listed(named, "or")
    return f"any of {len(named)} arms, the highest being {listed(named[:MOST_NAMES])}"


def count(number: float, noun: str) -> str:
    """A number and its noun."""
    return f"{decimal(number)} {noun}" if number == 1 else f"{decimal(number)} {noun}s"


def decimal(number: float) -> str:
    """A number with as many decimals as it has, two at most."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def spelled(number: int, noun: str) -> str:
    """The same, a small number as a word."""
    word = NUMBERS[number] if number < len(NUMBERS) else str(number)
    return count(number, noun).replace(str(number), word, 1)


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def signed(points: float) -> str:
    """A difference in points, with its sign and a true minus."""
    text = f"{abs(points):.2f}"
    if float(text) == 0:
        return text
    return ("+" if points > 0 else "−") + text


def span(values: Iterable[float], form: str) -> str:
    """The lowest and the highest of some numbers, or the one that all are."""
    numbers = [*values]
    return " to ".join(dict.fromkeys(f"{end:{form}}" for end in (min(numbers), max(numbers))))


def true_minus(numbers: str) -> str:
    """Numbers with a true minus for every hyphen."""
    return numbers.replace("-", "−")


def level(confidence: float) -> str:
    """A confidence level in percent."""
    return f"{100 * confidence:.4g} %"


def momentum_in_brief(momentum: Sequence[float]) -> str:
    """The one momentum, the fall and rise of a cycle, or the range of another curve."""
    first, low, high, last = momentum[0], min(momentum), max(momentum), momentum[-1]
    if high - low < 1e-9:
        return f"{high:.4g}"
    if low < min(first, last):
        return f"{first:.2f} → {low:.2f} → {last:.2f}"
    return f"{low:.2f} to {high:.2f}"
