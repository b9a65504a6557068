from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.publisher.wire.limits import WireLimits
from services.publisher.wire.target import Target

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://a.example", Target("http", "a.example", 80, "/"), "a.example"),
        ("https://a.example/x/y?z=1&w=%20", Target("https", "a.example", 443, "/x/y?z=1&w=%20"), "a.example"),
        ("https://A.Example.:8443?q", Target("https", "a.example", 8443, "/?q"), "a.example:8443"),
        ("http://a.example:443/", Target("http", "a.example", 443, "/"), "a.example:443"),
        ("http://[::1]:8080/", Target("http", "::1", 8080, "/"), "[::1]:8080"),
        ("https://[2001:DB8:0::1]/", Target("https", "2001:db8::1", 443, "/"), "[2001:db8::1]"),
        ("http://10.0.0.1/", Target("http", "10.0.0.1", 80, "/"), "10.0.0.1"),
        ("https://信用.example/", Target("https", "xn--vuqs22g.example", 443, "/"), "xn--vuqs22g.example"),
        (
            "http://tax_bureau.internal/",
            Target("http", "tax_bureau.internal", 80, "/"),
            "tax_bureau.internal",
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, target: Target, authority: str) -> None:
    assert Target.parse(url) == target
    assert Target.parse(url).authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/hook",
        "ftp://a.example/",
        "file:///etc/passwd",
        "//a.example/",
        "https://",
        "https:///hook",
        "https://user@a.example/",
        "https://user:word@a.example/",
        "https://a.example@b.example/",
        "https://:@a.example/",
        "https://a.example/#part",
        "https://a.example/#",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:http/",
        "https://a.example/a b",
        "https://a.example/\r\nx: y",
        "https://a.example/\tx",
        " https://a.example/",
        "https://a.example /",
        "https://a.exa\nmple/",
        "https://a.example/名",
        "https://a.example\\@b.example/",
        "https://a_b!.example/",
        "https://a%2eexample/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://[zz::1]/",
        "https://.../",
    ],
)
def test_what_is_ambiguous_or_unsafe_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whichever rule is first
        Target.parse(url)


@unhurried
@given(st.text(max_size=40))
def test_no_url_smuggles_a_line_into_the_request(rest: str) -> None:
    try:
        target = Target.parse("http://a.example" + rest)
    except ValueError:
        return
    line = f"POST {target.path} HTTP/1.1\r\nhost: {target.authority}"
    assert line.isascii()
    assert line.count("\r\n") == 1
    assert line.count(" ") == 3
    assert line.isprintable() or line.replace("\r\n", "").isprintable()


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="first_byte_seconds"):
        WireLimits(first_byte_seconds=31, whole_seconds=30)


def test_every_limit_says_its_unit_and_reason() -> None:
    for name, field in WireLimits.model_fields.items():
        assert field.description, name
        assert len(field.description) > 40, name
        if name.endswith("_seconds"):
            assert "econds" in field.description, name
