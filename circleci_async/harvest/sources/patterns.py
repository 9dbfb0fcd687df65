"""The patterns of secrets: the default ones, and those of the caller."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from ...errors import InvalidArgument

__all__ = ["DEFAULT_SCRUB_PATTERNS"]

Scrub: TypeAlias = Iterable[str | re.Pattern[str]] | Literal[False] | None
"""Patterns besides the default ones, None for those only, or False to replace nothing."""


class Pattern(NamedTuple):
    """A regular expression and its name. Can be sent to another process."""

    name: str
    regex: str
    flags: int = 0
    words: tuple[str, ...] = ()
    """Each match begins with one of them, so that other positions are not tried. Lower case ones are in any case."""

    def compile(self) -> re.Pattern[str]:
        """Return the compiled expression."""
        return re.compile(self.regex, self.flags)


_BEGIN = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
"""The start of a word, also behind the escaped line break of JSON."""

_END = r"(?![A-Za-z0-9])"

_SEPARATOR = r"""["'\\]{0,4}\s{0,10}[:=]>?\s{0,10}["'\\]{0,4}"""
"""Between a key and its value, with quotes that can be escaped."""

_IS_SET = r"(?!\$[A-Z_({]|\*{3}|<|\{|%[A-Za-z_]{2,64}%|\[(?i:scrubbed|redacted|filtered|masked)\])"
"""Not a variable or a mask, which stand for the secret."""

_PROSE = (
    r"(?!(?i:a|an|and|auth\w*|are|cred\w*|check\w*|error|expired|failed|for|from|has|header|in|invalid|is|missing|no|not"
    r"|or|required|scheme|tokens?|was|with)(?![\w.~+/=-]))"
)
"""Not a word of a sentence about authorization."""

_KEY_SPACE = r"(?:\s|\\{1,4}[nr])"
_KEY_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"


def _default(name: str, words: str, regex: str) -> Pattern:
    return Pattern(name, regex, 0, tuple(words.split()))


DEFAULTS: Final = (
    _default("circleci-token", "CCIPAT_ CCIPRJ_", r"CCI(?:PAT|PRJ)_[A-Za-z0-9_]{16,}"),
    _default(
        "circleci-token-header",
        "circle",
        rf"(?i:circle(?:ci)?[_-](?:(?:api|ci|cli)[_-])?token){_SEPARATOR}"
        r"(?=[A-Za-z_]*+[0-9]|[A-Fa-f]{40})(?P<secret>[A-Za-z0-9_]{16,})",
    ),
    _default(
        "github-token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
        rf"|{_BEGIN}ghs_[0-9]{{1,20}}_eyJ(?:[A-Za-z0-9_-]++\.){{2}}[A-Za-z0-9_-]++",
    ),
    _default(
        "gitlab-token",
        "glpat- glagent- glcbt- gldt- glffct- glft- glimt- gloas- glptt- glrt- glrtr- glsoat- GR1348941",
        r"gl(?:pat|agent|cbt|dt|ffct|ft|imt|oas|ptt|rt|rtr|soat)-[A-Za-z0-9_-]{16,}+(?:\.[a-z0-9]{2}\.[a-z0-9]{7,9})?"
        r"|GR1348941[A-Za-z0-9_-]{20}",
    ),
    _default(
        "atlassian-token",
        "ATBB ATATT3 ATCTT3",
        rf"{_BEGIN}(?:ATBB[A-Za-z0-9]{{32}}{_END}|AT[AC]TT3[A-Za-z0-9_=-]{{40,}})",
    ),
    _default("aws-access-key-id", "AKIA ASIA", rf"{_BEGIN}(?:AKIA|ASIA)[A-Z0-9]{{16}}{_END}"),
    _default(
        "aws-secret-access-key",
        "aws secret",
        rf"(?i:aws[_-]?secret[_-]?(?:access[_-]?)?key|secret[_-]?access[_-]?key)"
        rf"(?:{_SEPARATOR}|\s{{1,4}}(?=[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+])))(?P<secret>[A-Za-z0-9/+=]{{16,}})",
    ),
    _default(
        "aws-session-token",
        "aws amz session",
        r"(?i:(?:aws|amz)[_-]?(?:session|security)[_-]?token|session_?token)"
        rf"{_SEPARATOR}(?P<secret>[A-Za-z0-9/+=%]{{64,}})",
    ),
    _default("aws-signature", "x-amz-signature", r"(?i:x-amz-signature)=(?P<secret>[0-9a-f]{64})"),
    _default(
        "azure-key", "account sharedaccess", r"(?i:account|sharedaccess)(?i:key)=(?P<secret>[A-Za-z0-9+/]{40,}={0,2})"
    ),
    _default("azure-signature", "sig=", r"(?<=[?&;])sig=(?P<secret>[A-Za-z0-9%+/=]{40,})"),
    _default("azure-client-secret", "Q~", r"(?<=[0-9])Q~[A-Za-z0-9_~.-]{31,34}"),
    _default("google-api-key", "AIza", rf"{_BEGIN}AIza[A-Za-z0-9_-]{{35}}"),
    _default("google-oauth", "GOCSPX- ya29.", rf"{_BEGIN}(?:GOCSPX-[A-Za-z0-9_-]{{28}}|ya29\.[A-Za-z0-9_.-]{{20,}})"),
    _default("slack-token", "xox xapp-", r"xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    _default(
        "slack-webhook",
        "hooks.slack",
        r"hooks\.slack(?:-gov)?\.com/(?:services|triggers|workflows)/(?P<secret>[A-Za-z0-9_/-]{20,})",
    ),
    _default(
        "discord-token",
        "MT Mj Mz ND NT Nj Nz OD OT",  # the id is base64 of digits
        rf"{_BEGIN}(?:[MNO][A-Za-z0-9]{{3}}){{5,6}}[A-Za-z0-9]{{0,3}}\.[A-Za-z0-9_-]{{6}}\.[A-Za-z0-9_-]{{27,38}}{_END}",
    ),
    _default(
        "discord-webhook",
        "discord",
        r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{1,20}/(?P<secret>[A-Za-z0-9_-]{40,})",
    ),
    _default(
        "stripe-key",
        "sk_live_ rk_live_ sk_test_ rk_test_ whsec_",
        rf"{_BEGIN}(?:[rs]k_live_[A-Za-z0-9]{{16,}}|[rs]k_test_[A-Za-z0-9]{{24,}}|whsec_[A-Za-z0-9+/=]{{24,}})",
    ),
    _default("twilio-key", "SK", rf"{_BEGIN}SK[0-9a-f]{{32}}{_END}"),
    _default("sendgrid-key", "SG.", rf"{_BEGIN}SG\.[A-Za-z0-9_-]{{16,32}}\.[A-Za-z0-9_-]{{32,64}}"),
    _default("mailgun-key", "key-", rf"{_BEGIN}key-[0-9a-f]{{32}}{_END}"),
    _default("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    _default(
        "npmrc",
        ":_auth :_password",
        rf":_(?:authToken|auth|password){_SEPARATOR}{_IS_SET}(?P<secret>[^\s\"'\\,;]{{8,}})",
    ),
    _default("pypi-token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{16,}"),
    _default("rubygems-key", "rubygems_", r"rubygems_[0-9a-f]{48}"),
    _default("docker-token", "dckr_", r"dckr_[op]at_[A-Za-z0-9_-]{20,}"),
    _default(
        "docker-auth",
        "auth",
        r"""(?<=")auth\\{0,4}"\s{0,10}:\s{0,10}\\{0,4}"(?=[A-Za-z]*+[0-9+/=])(?P<secret>[A-Za-z0-9+/=]{16,}+)(?=[\\"])""",
    ),
    _default("hugging-face-token", "hf_", rf"{_BEGIN}hf_[A-Za-z0-9]{{30,}}"),
    _default("anthropic-key", "sk-ant-", rf"{_BEGIN}sk-ant-[A-Za-z0-9_-]{{20,}}"),
    _default(
        "openai-key",
        "sk-",
        rf"{_BEGIN}sk-(?:(?:admin|proj|svcacct)-[A-Za-z0-9_-]{{40,}}|or-v1-[0-9a-f]{{64}}|[A-Za-z0-9]{{32,}})",
    ),
    _default(
        "datadog-key",
        "datadog dd_ dd-",
        rf"(?i:(?:datadog|dd)[_-](?:api|app|application)[_-]key){_SEPARATOR}(?P<secret>[0-9a-f]{{32}}(?:[0-9a-f]{{8}})?){_END}",
    ),
    _default("vault-token", "hvs. hvb. hvr.", rf"{_BEGIN}hv[brs]\.[A-Za-z0-9_-]{{24,}}"),
    _default("digitalocean-token", "doo_v1_ dop_v1_ dor_v1_ dot_v1_", rf"{_BEGIN}do[oprt]_v1_[0-9a-f]{{64}}"),
    _default("databricks-token", "dapi", rf"{_BEGIN}dapi[0-9a-f]{{32}}{_END}"),
    _default("shopify-token", "shpat_ shpca_ shppa_ shpss_", rf"{_BEGIN}shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}"),
    _default(
        "grafana-token", "glsa_ glc_", rf"{_BEGIN}(?:glsa_[A-Za-z0-9]{{32}}_[0-9a-f]{{8}}|glc_eyJ[A-Za-z0-9+/=]{{32,}})"
    ),
    _default("sonarqube-token", "sqa_ sqp_ squ_", rf"{_BEGIN}sq[apu]_[0-9a-f]{{40}}"),
    _default("jwt", "eyJ", rf"{_BEGIN}eyJ[A-Za-z0-9_-]{{5,}}+\.[A-Za-z0-9_-]{{5,}}+\.[A-Za-z0-9_-]{{5,}}+"),
    _default(
        "private-key",
        "-----BEGIN",
        rf"-----BEGIN {_KEY_LABEL}"
        rf"{_KEY_SPACE}*+(?:[A-Za-z-]{{1,20}}: [^\n\r\\]{{1,100}}{_KEY_SPACE}++)*+"
        rf"(?:[A-Za-z0-9+/=]{{16,}}+{_KEY_SPACE}*+)++"
        rf"(?:(?:[A-Za-z0-9+/=]{{1,80}}+{_KEY_SPACE}*+){{0,3}}-----END {_KEY_LABEL})?+",
    ),
    _default(
        "private-key-base64",
        "LS0tLS1CRUdJTi",
        r"LS0tLS1CRUdJTi(?:BQUklWQVRFIEtFWS|BSU0EgUFJJVkFURSBLRVkt|BFQyBQUklWQVRFIEtFWS|BPUEVOU1NIIFBSSVZBVEUgS0VZ"
        r"|BFTkNSWVBURUQgUFJJVkFURSBLRVkt|BEU0EgUFJJVkFURSBLRVkt|BQR1AgUFJJVkFURSBLRVkg)[A-Za-z0-9+/=]{16,}+"
        rf"(?:{_KEY_SPACE}{{1,4}}+[A-Za-z0-9+/=]{{64,}}+)*+(?:{_KEY_SPACE}{{1,4}}+[A-Za-z0-9+/]{{2,63}}={{1,2}})?",
    ),
    _default(
        "authorization-header",
        "authorization",
        rf"(?i:authorization){_SEPARATOR}(?i:bearer|basic|token)\s{{1,10}}{_IS_SET}{_PROSE}(?P<secret>[^\s\"'\\,;]{{4,}})",
    ),
    _default(
        "token-header",
        "private- job- deploy- x-",
        r"(?i:(?:private|job|deploy|x-auth|x-vault|x-access)-token|x-(?:rapid)?api-key|x-jfrog-art-api)"
        rf"{_SEPARATOR}{_IS_SET}(?P<secret>[A-Za-z0-9_.~+/=-]{{16,}})",
    ),
    _default("url-user", "://", r"://(?P<secret>[0-9a-f]{40})(?::[^\s/?#@:\"'<>]{0,256})?@"),
    _default(
        "url-password",
        "://",
        rf"://[^\s/?#@:\"'<>]{{0,256}}:{_IS_SET}(?![0-9]{{1,5}}[]),;}}])(?P<secret>[^\s/?#\"'<>]{{1,1024}})@(?!sha(?:256|512):)",
    ),
)

DEFAULT_SCRUB_PATTERNS: Final[Mapping[str, str]] = MappingProxyType({each.name: each.regex for each in DEFAULTS})
"""The regular expressions that find secrets in harvested logs, tests and builds, by their names.

Of a match, the group `secret` is replaced, or all of it if there is none.
"""


def parse_scrub(scrub: Scrub) -> tuple[Pattern, ...]:
    """Return the patterns to replace. Raises `InvalidArgument`."""
    given: Any = scrub
    if given is None:
        return DEFAULTS
    if given is False:
        return ()
    if isinstance(given, str | bytes | re.Pattern | Mapping) or not isinstance(given, Iterable):
        raise InvalidArgument(
            f"scrub must be a list of regular expressions, None for the default ones, or False, got {given!r}"
        )
    return (*DEFAULTS, *map(_parse, cast("Iterable[object]", given)))


def _parse(given: Any) -> Pattern:
    text: object = cast("re.Pattern[str]", given).pattern if isinstance(given, re.Pattern) else given
    if not isinstance(text, str):
        raise InvalidArgument(f"scrub must contain regular expressions for text, got {given!r}")
    pattern = Pattern(text, text, 0 if given is text else given.flags)
    try:
        matches_nothing = pattern.compile().search("") is not None
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidArgument(f"scrub must contain valid regular expressions, got {given!r}: {error}") from None
    if matches_nothing:
        raise InvalidArgument(f"scrub must not contain an expression that matches empty text, got {given!r}")
    return pattern
