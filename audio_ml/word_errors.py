"""Word errors: what of a reference was heard otherwise, not heard, or heard besides.

The edit distance of Levenshtein on words. Words that are one when written together ("voice over", "voiceover") are
no error, since hearing cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_JOINED = 4  # words that may be written as one ("n a s a")
_JOINS = [(i, j) for i in range(1, MOST_JOINED + 1) for j in range(1, MOST_JOINED + 1) if i + j > 2]


@dataclass(frozen=True)
class WordErrors:
    """Errors among `n_words` of a reference; `longest_deletion` is the longest run of words that were not heard.

    >>> count_errors("the red red rose".split(), "the red nose is".split())
    WordErrors(n_words=4, substitutions=2, insertions=0, deletions=0, longest_deletion=0)
    """

    n_words: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0
    longest_deletion: int = 0

    @property
    def total(self) -> int:
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float:
        """The word error rate, 0 for a perfect hearing; it can pass 1 where more is heard than was said."""
        return self.total / max(self.n_words, 1)

    def __add__(self, other: WordErrors) -> WordErrors:
        """Returns the errors of two references together."""
        return WordErrors(
            self.n_words + other.n_words,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            max(self.longest_deletion, other.longest_deletion),
        )


def count_errors(reference: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Returns the fewest errors that make what was heard out of the reference; both as words to be compared.

    >>> count_errors(["voice", "over"], ["voiceover"]).total
    0
    """
    costs = _costs(reference, heard)
    i, j = len(reference), len(heard)
    substitutions = insertions = deletions = run = longest = 0
    while i or j:
        step = _step(reference, heard, costs, i, j)
        is_deletion = step == (1, 0)
        run = run + 1 if is_deletion else 0
        longest = max(longest, run)
        deletions += is_deletion
        insertions += step == (0, 1)
        substitutions += step == (1, 1) and reference[i - 1] != heard[j - 1]
        i, j = i - step[0], j - step[1]
    return WordErrors(len(reference), substitutions, insertions, deletions, longest)


def _costs(reference: Sequence[str], heard: Sequence[str]) -> list[list[int]]:
    """Returns the fewest errors of every pair of beginnings, [len(reference) + 1][len(heard) + 1]."""
    costs = [list(range(len(heard) + 1))]
    for i in range(1, len(reference) + 1):
        row = [i]
        costs.append(row)
        for j in range(1, len(heard) + 1):
            cost = min(costs[i - 1][j - 1] + (reference[i - 1] != heard[j - 1]), costs[i - 1][j] + 1, row[-1] + 1)
            joined = (costs[i - m][j - n] for m, n in _JOINS if _are_one(reference, heard, i, j, m, n))
            row.append(min(cost, *joined, cost))
    return costs


def _step(reference: Sequence[str], heard: Sequence[str], costs: list[list[int]], i: int, j: int) -> tuple[int, int]:
    """Returns how many words of each side the last step of a best way to (i, j) took."""
    cost = costs[i][j]
    if i and j and costs[i - 1][j - 1] + (reference[i - 1] != heard[j - 1]) == cost:
        return 1, 1
    for m, n in _JOINS:
        if _are_one(reference, heard, i, j, m, n) and costs[i - m][j - n] == cost:
            return m, n
    return (1, 0) if i and costs[i - 1][j] + 1 == cost else (0, 1)


def _are_one(reference: Sequence[str], heard: Sequence[str], i: int, j: int, m: int, n: int) -> bool:
    """Tells whether the last m and n words before i and j are the same when each is written as one."""
    return m <= i and n <= j and "".join(reference[i - m : i]) == "".join(heard[j - n : j])
