"""How well the tags a tool offers fit the tags a consumer wants."""

from collections.abc import Collection, Iterable

from meshaccel.models import TagTerm

REQUIRED_SCORE = 5
PREFERRED_SCORE = 10
FEW = 16
"""Tags that are searched one by one faster than a set of them is made."""


def tag_score(wanted: Iterable[TagTerm], offered: Collection[str]) -> int | None:
    """Score offered tags against wanted terms; ``None`` means no match.

    ``"t"`` must be offered (+5), ``"+t"`` is a bonus when offered (+10), ``"-t"`` must not be
    offered. A tuple is a group of alternatives: at least one positive member must be offered
    and the best of them counts once; an offered ``"-t"`` member still rules the tool out.
    Tags are case-sensitive; empty terms and empty groups mean nothing.

    O(terms + offered tags), without allocation where few are offered.
    """
    if len(offered) > FEW:
        offered = frozenset(offered)
    score = 0
    for term in wanted:
        gained = _term_score(term, offered) if isinstance(term, str) else _group(term, offered)
        if gained is None:
            return None
        score += gained
    return score


def _term_score(term: str, offered: Collection[str]) -> int | None:
    if term.startswith("-"):
        return None if _is_offered(term[1:], offered) else 0
    if term.startswith("+"):
        return PREFERRED_SCORE if _is_offered(term[1:], offered) else 0
    if not term:
        return 0
    return REQUIRED_SCORE if term in offered else None


def _group(members: Collection[str], offered: Collection[str]) -> int | None:
    best = 0
    for member in members:
        if member.startswith("-"):
            if _is_offered(member[1:], offered):
                return None
        elif member.startswith("+"):
            if _is_offered(member[1:], offered):
                best = PREFERRED_SCORE
        elif _is_offered(member, offered):
            best = max(best, REQUIRED_SCORE)
    # A group that only excludes, or lists only empty strings, offers nothing to choose.
    return best if best or not members else None


def _is_offered(tag: str, offered: Collection[str]) -> bool:
    # A tool may publish "" as a tag, but nobody can ask for it.
    return tag != "" and tag in offered
