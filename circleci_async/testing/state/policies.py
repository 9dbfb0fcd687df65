"""The config policies of an organization. No Rego is run here: what the policies decide is said beforehand."""

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
        """128 characters that change with the source."""
        return hashlib.sha512(self.content.encode()).hexdigest()


@frozen
class Verdict:
    """What the policies decide; failures are reasons by the name of the rule."""

    status: str = "PASS"
    enabled_rules: tuple[str, ...] = ()
    hard_failures: Mapping[str, str] = field(factory=dict[str, str])
    soft_failures: Mapping[str, str] = field(factory=dict[str, str])
    reason: str = ""


@define(eq=False)
class DecisionRecord:
    """The log entry of a decision. `metadata` is what the API answers with; `bundle` the policies as they were."""

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
        """Judge whatever it is: by this verdict, the one that was set, or let it pass. The rules are the bundle's."""
        verdict = verdict or self.verdict or Verdict()
        return verdict if verdict.enabled_rules else evolve(verdict, enabled_rules=self._rules())

    def _rules(self) -> tuple[str, ...]:
        found = [match for document in self.bundle.values() for match in _RULE.findall(document.content)]
        return tuple(dict.fromkeys(old or new for old, new in found))
