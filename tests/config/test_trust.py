"""Which origins may be sent the token."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from circleci_async.config.trust import Origin, Trust
from circleci_async.errors import ConfigurationError

CLOUD = Trust("https://circleci.com", ["*.circle-artifacts.com"])


@pytest.mark.parametrize(
    "url",
    [
        "https://circleci.com",
        "https://circleci.com/api/v2/me",
        "https://circleci.com:443/api/v2/me",
        "HTTPS://CircleCI.com/api/v2/me",
        "https://circleci.com/api/v2/me?next=https://evil.org/#x",
        "https://output.circle-artifacts.com/output/job/1/artifacts/0/a.txt",
        "https://OUTPUT.Circle-Artifacts.COM/a",
        "https://output.circle-artifacts.com:443/a",
        "https://1-2-gh.circle-artifacts.com/0/a",
        "https://a.b.c.circle-artifacts.com/a",
        "https://evil.org@output.circle-artifacts.com/",
    ],
)
def test_the_api_host_and_its_artifact_hosts_are_trusted(url: str) -> None:
    assert CLOUD.trusts(url)
    assert CLOUD.trusts(URL(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.org/",
        "http://circleci.com/",
        "http://circleci.com:443/",
        "https://circleci.com:8443/",
        "https://app.circleci.com/",
        "https://circleci.com.evil.org/",
        "https://evilcircleci.com/",
        "https://circleci.com./",
        "http://output.circle-artifacts.com/",
        "http://output.circle-artifacts.com:443/",
        "https://output.circle-artifacts.com:8443/",
        "https://output.circle-artifacts.com:80/",
        "https://circle-artifacts.com/",
        "https://.circle-artifacts.com/",
        "https://circle-artifacts.com.evil.org/",
        "https://output.circle-artifacts.com.evil.org/",
        "https://evilcircle-artifacts.com/",
        "https://output.circle-artifacts.com./",
        "https://output..circle-artifacts.com/",
        "https://s3.amazonaws.com/bucket/output.circle-artifacts.com",
        "ws://circleci.com:443/",
        "wss://circleci.com/",
        "ftp://circleci.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_other_origins_are_not_trusted(url: str) -> None:
    assert not CLOUD.trusts(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://output.circle-artifacts.com@evil.org/",
        "https://output.circle-artifacts.com:443@evil.org/",
        "https://circleci.com%40evil.org/",
        "https://evil.org#@output.circle-artifacts.com/",
        "https://evil.org?@output.circle-artifacts.com/",
        "https://evil.org/@output.circle-artifacts.com/",
        "https://evil.org\\@output.circle-artifacts.com/",
        "https://output.circle-artifacts.com\\.evil.org/",
        "https:\\\\circleci.com/",
        "https:/circleci.com/",
        "https:circleci.com",
        "https:///circleci.com/",
        "https://[circleci.com]/",
        "https://[circleci.com/",
        "https://evil.org%00.circle-artifacts.com/",
        "https://evil.org%2F.circle-artifacts.com/",
        "https://evil.org\x00.circle-artifacts.com/",
        "https://evil org.circle-artifacts.com/",
        "https://*.circle-artifacts.com/",
        "https://circleci.com:0/",
        "https://circleci.com:99999/",
        "https://circleci.com:-443/",
        "https://circleci.com:https/",
        "https://xn--/",
        "https://",
        "//circleci.com/",
        "circleci.com",
        "/api/v2/me",
        "",
    ],
)
def test_an_ambiguous_address_is_not_trusted(url: str) -> None:
    assert not CLOUD.trusts(url)


def test_trust_checks_the_url_that_is_requested() -> None:
    assert CLOUD.trusts(URL("HTTPS://Output.Circle-Artifacts.com/a%2Fb?X=%2B", encoded=True))
    assert not CLOUD.trusts(URL("https://output.circle-artifacts.com@evil.org/", encoded=True))
    assert not CLOUD.trusts(URL("https://evil.org%00.circle-artifacts.com/", encoded=True))


_TRICKY = st.text(st.sampled_from("ab.-@/\\:;#?%&[]*0143 \t\n\x00\u3002\uff0eß") | st.characters(), max_size=12)


@given(_TRICKY, _TRICKY)
def test_a_trusted_address_always_connects_to_a_trusted_host(before: str, after: str) -> None:
    for text in (f"https://{before}circle-artifacts.com{after}", f"https://circleci.com{after}", before + after):
        if CLOUD.trusts(text):
            url = URL(text)
            assert url.scheme == "https"
            assert url.port == 443
            host = url.raw_host or ""
            assert host == "circleci.com" or host.endswith(".circle-artifacts.com")


@pytest.mark.parametrize(
    ("root", "trusted", "untrusted"),
    [
        ("https://ci.example.com:8443", "https://ci.example.com:8443/api/v2/me", "https://ci.example.com/api/v2/me"),
        ("https://ci.example.com/sub", "https://CI.example.com/api/v2/me", "http://ci.example.com/sub"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010/api", "http://127.0.0.1:4011/api"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010/api", "https://127.0.0.1:4010/api"),
        ("http://127.1.2.3", "http://127.1.2.3:80/", "http://127.1.2.4/"),
        ("http://localhost:4010", "http://LOCALHOST:4010/", "http://localhost.evil.org:4010/"),
        ("http://[::1]:4010", "http://[0:0:0:0:0:0:0:1]:4010/", "http://[::2]:4010/"),
        ("https://[2001:DB8::1]", "https://[2001:db8:0::1]:443/", "https://[2001:db8::2]/"),
        ("https://bücher.example", "https://xn--bcher-kva.example/", "https://bucher.example/"),
    ],
)
def test_scheme_host_and_port_of_the_api_must_match(root: str, trusted: str, untrusted: str) -> None:
    trust = Trust(root, ())
    assert trust.trusts(trusted)
    assert not trust.trusts(untrusted)


@pytest.mark.parametrize(
    "root",
    [
        "http://ci.example.com",
        "http://10.0.0.1:8080",
        "http://0.0.0.0:80",
        "http://127.0.0.1.evil.org",
        "http://127.1",
        "http://localhost.evil.org",
        "http://[::2]",
        "http://[::ffff:127.0.0.1]",
        "http://[::1%25eth0]",
    ],
)
def test_an_api_host_over_http_is_never_trusted(root: str) -> None:
    trust = Trust(root, [URL(root).authority] if "[" not in root else ())
    assert not trust.trusts(root)
    assert not trust.trusts(f"{root}/api/v2/me")


@pytest.mark.parametrize(
    ("entry", "trusted", "untrusted"),
    [
        ("files.example.com", "https://files.example.com/a", "https://files.example.com:9000/a"),
        ("files.example.com", "https://FILES.example.com/a", "https://a.files.example.com/a"),
        ("Files.Example.com", "https://files.example.com/a", "http://files.example.com/a"),
        ("files.example.com:9000", "https://files.example.com:9000/a", "https://files.example.com/a"),
        ("files.example.com:9000", "https://files.example.com:9000/a", "http://files.example.com:9000/a"),
        ("files.example.com:443", "https://files.example.com/a", "https://files.example.com:80/a"),
        ("*.example.com:9000", "https://x.y.example.com:9000/a", "https://x.y.example.com/a"),
        ("files-*.example.com", "https://files-7.example.com/a", "https://files.example.com/a"),
        ("a?.example.com", "https://ab.example.com/", "https://abc.example.com/"),
        ("*.eu-?.example.com", "https://x.eu-1.example.com/", "https://eu-1.example.com/"),
        (" files.example.com ", "https://files.example.com/", "https://example.com/"),
        ("minio", "https://minio/", "https://minio:9000/"),
        ("my_host.example.com", "https://my_host.example.com/", "https://my-host.example.com/"),
        ("10.0.0.7:9000", "https://10.0.0.7:9000/", "http://10.0.0.7:9000/"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/a", "http://127.0.0.1:9001/a"),
        ("127.0.0.1:9000", "https://127.0.0.1:9000/a", "http://127.0.0.2:9000/a"),
        ("127.9.9.9", "http://127.9.9.9/a", "http://127.9.9.9:443/a"),
        ("localhost", "http://localhost:80/a", "http://localhost:8080/a"),
        ("localhost", "https://localhost/a", "https://localhost:80/a"),
        ("[::1]", "http://[::1]/a", "http://[::1]:9000/a"),
        ("[0:0::1]:9000", "http://[::1]:9000/a", "http://[::1]/a"),
        ("[2001:DB8::1]:9000", "https://[2001:db8::1]:9000/a", "http://[2001:db8::1]:9000/a"),
    ],
)
def test_an_artifact_host_matches_only_that_host_and_port(entry: str, trusted: str, untrusted: str) -> None:
    trust = Trust("https://circleci.com", ["other.example.org", entry])
    assert trust.trusts(trusted)
    assert not trust.trusts(untrusted)


def test_without_artifact_hosts_only_the_api_host_is_trusted() -> None:
    trust = Trust("https://circleci.com", ())
    assert trust.trusts("https://circleci.com/")
    assert not trust.trusts("https://output.circle-artifacts.com/")


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "*",
        "*:*",
        "*:443",
        "*.*",
        "?",
        "**",
        "*.com",
        "*com",
        "*example.com",
        "example.*",
        "files.*.com",
        "a*.com:9000",
        "https://files.example.com",
        "files.example.com/",
        "files.example.com/path",
        "files.example.com?x",
        "files.example.com#x",
        "someone@files.example.com",
        "files example.com",
        "files.example.com, other.example.com",
        "files..example.com",
        ".example.com",
        "example.com.",
        "*..example.com",
        "files.example.com:",
        "files.example.com:0",
        "files.example.com:65536",
        "files.example.com:-1",
        "files.example.com:https",
        "files.example.com:\u0663",
        "[ab].example.com",
        "::1",
        "[::1",
        "[::g]",
        "[1.2.3]",
        "[:::]:9000",
        "bücher.example",
        "files\x00.example.com",
    ],
)
def test_a_malformed_or_too_broad_artifact_host_is_rejected_by_name(entry: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Trust("https://circleci.com", ["files.example.com", entry])
    assert f"artifact_hosts: {entry!r} " in str(caught.value)
    assert "*.circle-artifacts.com" in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("port", [1, 65535])
def test_the_smallest_and_largest_ports_are_valid(port: int) -> None:
    trust = Trust("https://circleci.com", [f"files.example.com:{port}"])
    assert trust.trusts(f"https://files.example.com:{port}/")


@pytest.mark.parametrize("host", ["circleci.com", "", "ftp://circleci.com", "https://ci rcle.com"])
def test_trust_needs_the_root_address_of_the_api(host: str) -> None:
    with pytest.raises(ConfigurationError, match="root address"):
        Trust(host, ())


@pytest.mark.parametrize(
    ("url", "origin", "text"),
    [
        ("https://circleci.com/x", Origin("https", "circleci.com", 443), "https://circleci.com"),
        ("http://CircleCI.com:8080", Origin("http", "circleci.com", 8080), "http://circleci.com:8080"),
        ("http://h:80", Origin("http", "h", 80), "http://h"),
        ("https://h:80", Origin("https", "h", 80), "https://h:80"),
        ("https://[::0:1]:8443", Origin("https", "::1", 8443), "https://[::1]:8443"),
    ],
)
def test_origins_are_normalized(url: str, origin: Origin, text: str) -> None:
    assert Origin.of(url) == origin
    assert str(origin) == text


@pytest.mark.parametrize("url", ["", "circleci.com", "ftp://circleci.com", "https://h:0", "https://h..x"])
def test_an_ambiguous_address_has_no_origin(url: Any) -> None:
    assert Origin.of(url) is None


@pytest.mark.parametrize(
    ("entry", "trusted", "untrusted"),
    [
        ("127.0.0.*:8080", "http://127.0.0.7:8080/", "http://127.0.0.7:8081/"),
        ("127.0.0.?", "http://127.0.0.7/", "http://127.0.0.77/"),
        ("10.0.*.*", "https://10.0.3.44/", "http://10.0.3.44/"),
        ("10.0.0.*", "https://10.0.0.9/", "https://10.0.0.evil.org/"),
        ("10.0.0.*", "https://10.0.0.255/", "https://10.0.0.9.evil.org/"),
        ("10.0.0.*", "https://10.0.0.1/", "https://110.0.0.1/"),
        ("127.0.0.1:*", "http://127.0.0.1:54321/", "http://127.0.0.2:54321/"),
        ("*.example.com:*", "https://a.example.com:8443/", "https://example.com:8443/"),
    ],
)
def test_wildcards_match_digits_in_an_address_and_any_port(entry: str, trusted: str, untrusted: str) -> None:
    trust = Trust("https://circleci.com", [entry])
    assert trust.trusts(trusted)
    assert not trust.trusts(untrusted)
