"""The config policies of an organization. Rego is not evaluated: tests set the decision."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, evolve, field, frozen

_RULE = re.compile(r'\benable_rule(?:\[\s*"([^"]+)"\s*\]|\s+contains\s+"([^"]+)")')


@define(eq=False)
class PolicyDocument:
    """A policy: Rego source under a name. `created_by` is a user's id."""

    name: str
    content: str = field(repr=False)
    created_at: datetime
    created_by: str

    @property
    def hash(self) -> str:
        """SHA-512 of the source, in hex."""
        return hashlib.sha512(self.content.encode()).hexdigest()


@frozen
class Verdict:
    """The decision of the policies; failures map the name of a rule to the reason."""

    status: str = "PASS"
    enabled_rules: tuple[str, ...] = ()
    hard_failures: Mapping[str, str] = field(factory=dict[str, str])
    soft_failures: Mapping[str, str] = field(factory=dict[str, str])
    reason: str = ""


@define(eq=False)
class DecisionRecord:
    """The log entry of a decision, with the policies at that time."""

    id: str
    created_at: datetime
    verdict: Verdict
    metadata: Mapping[str, Any]
    bundle: Mapping[str, PolicyDocument] = field(repr=False)
    time_taken_ms: int = 4


@define(eq=False)
class PolicyBook:
    """An organization's policies by name, whether they are enforced, and the decisions that were logged."""

    bundle: dict[str, PolicyDocument] = field(factory=dict[str, PolicyDocument])
    enabled: bool = False
    decisions: list[DecisionRecord] = field(factory=list[DecisionRecord])
    verdict: Verdict | None = None

    def decide(self, verdict: Verdict | None = None) -> Verdict:
        """Return this verdict, the one that was set, or a pass. The enabled rules default to the bundle's."""
        verdict = verdict or self.verdict or Verdict()
        return verdict if verdict.enabled_rules else evolve(verdict, enabled_rules=self._rules())

    def _rules(self) -> tuple[str, ...]:
        found = [match for document in self.bundle.values() for match in _RULE.findall(document.content)]
        return tuple(dict.fromkeys(old or new for old, new in found))
