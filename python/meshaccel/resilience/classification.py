"""What an exception means for a retry, whichever library raised it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from meshaccel.resilience.classify import http, ours, postgres, redis, sqlite, system
from meshaccel.resilience.classify.rules import NEVER, PERMANENT, Cause, Codes, Rule
from meshaccel.resilience.verdicts import Classification, Verdict

__all__ = ["DEFAULT_CLASSIFIER", "Cause", "Classifier", "Codes", "Rule"]

_LONGEST_CHAIN = 32
_SEVERITY = (Verdict.TRANSIENT, Verdict.AMBIGUOUS, Verdict.PERMANENT, Verdict.NEVER)


class Classifier:
    """Looks exceptions up in tables of rules. It is immutable, and so are its answers.

    The rule for the most specific class counts; of several for one class, the last given. Classes
    are known by module and name, so no library is imported to know its errors. An exception of no
    known class means what its ``__cause__`` does, or else its ``__context__``, and so on down; if
    nothing of that is known either, it is permanent: what nobody has thought of is no reason to do
    something twice.

    Of an exception group, the worst member counts: it is made again only if all of them allow it.

    Args:
        rules: the tables.
        now: reads Unix time in seconds, for a ``Retry-After`` that is a date.
    """

    def __init__(self, *rules: Rule, now: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._now = now
        self._by_class: dict[type[BaseException] | str, tuple[Rule, ...]] = {}
        for rule in rules:
            self._by_class[rule.error] = (rule, *self._by_class.get(rule.error, ()))

    def extended(self, *rules: Rule, now: Callable[[], float] | None = None) -> "Classifier":
        """Return a classifier that knows these rules too, and prefers them."""
        return Classifier(*self._rules, *rules, now=self._now if now is None else now)

    def knows(self, error: type[BaseException]) -> bool:
        """Return whether a rule names this very class, not only one that it is derived from."""
        return bool(self._named(error))

    def classify(self, exc: BaseException, /) -> Classification:
        """Return what ``exc`` means; O(length of its chain of causes, of which 32 are heard).

        It does not raise, if the codes of its rules are read without raising.
        """
        return self._known(exc, set()) or PERMANENT

    def _known(self, exc: BaseException, seen: set[int]) -> Classification | None:
        found: Classification | None = None
        for link in reversed(list(_chain(exc, seen))):
            found = self._link(link, found, seen)
        return found

    def _link(
        self, exc: BaseException, below: Classification | None, seen: set[int]
    ) -> Classification | None:
        rule, means = self._rule(exc)
        if means is None or rule is None:
            if isinstance(exc, BaseExceptionGroup):
                return self._group(exc, seen)
            return below if isinstance(exc, Exception) else NEVER
        if below is not None and (
            rule.cause is Cause.FIRST
            or (rule.cause is Cause.IF_PERMANENT and below.verdict is Verdict.PERMANENT)
        ):
            return below
        return means if rule.adjust is None else rule.adjust(exc, means, self._now)

    def _rule(self, exc: BaseException) -> tuple[Rule | None, Classification | None]:
        for cls in type(exc).__mro__:
            for rule in self._named(cls):
                if (means := rule.of(exc)) is not None:
                    return rule, means
        return None, None

    def _named(self, cls: type) -> tuple[Rule, ...]:
        return self._by_class.get(cls, ()) + self._by_class.get(
            f"{cls.__module__}.{cls.__qualname__}", ()
        )

    def _group(self, group: BaseExceptionGroup[BaseException], seen: set[int]) -> Classification:
        members = [self._known(member, seen) or PERMANENT for member in group.exceptions]
        worst = max(members, key=lambda means: _SEVERITY.index(means.verdict))
        unit = max((means.unit for means in members), key=lambda unit: unit.value)
        return replace(worst, unit=unit)


def _chain(exc: BaseException, seen: set[int]) -> Iterator[BaseException]:
    link: BaseException | None = exc
    for _ in range(_LONGEST_CHAIN):
        if link is None or id(link) in seen:
            return
        seen.add(id(link))
        yield link
        # A context that was suppressed is kept out of tracebacks, which does not change what
        # happened; httpcore does so with all that it translates.
        link = link.__context__ if link.__cause__ is None else link.__cause__


DEFAULT_CLASSIFIER = Classifier(
    *sqlite.RULES, *postgres.RULES, *redis.RULES, *http.RULES, *system.RULES, *ours.RULES
)
"""Knows SQLite, PostgreSQL, Redis and Valkey, HTTP, the operating system, asyncio and meshaccel."""
