"""What the configurations for uploads refuse, and leave to nobody.

What servers make of them is in services/test_edge_uploads.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipfiles.edge import media_apache, media_caddy, media_nginx
from shipfiles.edge.generators import configuration
from shipfiles.edge.media_rules import rules
from shipfiles.edge.policy import EdgePolicy, MediaPolicy
from shipfiles.errors import ConfigError
from shipfiles.media.config import DeliveryConfig, MediaConfig, SafetyConfig, SignedConfig

GENERATORS = {"nginx": media_nginx.blocks, "apache": media_apache.blocks, "caddy": media_caddy.blocks}
APPLICATION = "http://127.0.0.1:8000"
HANDED = DeliveryConfig("x-accel-redirect")


def of(*media: MediaPolicy, application: str = APPLICATION) -> EdgePolicy:
    return EdgePolicy("static-server", None, media, application=application)


def public(root: str = "/srv/media", prefix: str = "/media/", alias: str = "default", **options: object) -> MediaPolicy:
    return MediaPolicy(alias, root, prefix, MediaConfig(**options))  # type: ignore[arg-type] # whatever a case says


def private(
    root: str = "/srv/private", prefix: str = "/private/", alias: str = "private", **options: object
) -> MediaPolicy:
    return public(root, prefix, alias, **{"access": "private", "delivery": HANDED, **options})


def unquoted(text: str) -> str:
    """``text`` without what is in quotes and in comments: what is left are words of the generator's own."""
    text = re.sub(r"^\s*#.*$", "#", text, flags=re.MULTILINE)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"|`[^`\n]*`', "Q", text)


ODD = st.text(st.sampled_from("\"'`\\${}<>;#%*?[] \n\r\t/é|()^=,~") | st.characters(), max_size=8)


@example(odd='"; return 200; location /x { #')
@example(odd="`\n}\nrespond `")
@example(odd='"\nRequire all granted\n#')
@example(odd="\\")
@given(ODD)
def test_no_setting_adds_a_directive(odd: str) -> None:
    """It is one word, or is refused: the text around it stays as it is for a setting that is not odd."""
    plain = "plain"
    for blocks in GENERATORS.values():

        def text(word: str, blocks: Callable[[EdgePolicy], str] = blocks) -> str:
            part = word.replace("/", "")
            handed = DeliveryConfig("x-accel-redirect", f"/in/{part}-/")
            return blocks(
                of(
                    public(f"/srv/media-{word}", f"/media/{part}-/", word, cache_control=f"x{word}"),
                    private(f"/srv/private-{word}", f"/private/{part}-/", delivery=handed),
                )
            )

        try:
            found = text(odd)
        except ConfigError:
            continue
        assert unquoted(found) == unquoted(text(plain))


@pytest.mark.parametrize("server", GENERATORS)
def test_without_an_application_nobody_gets_what_is_not_public(server: str) -> None:
    signed = public("/srv/signed", "/signed/", "signed", access="signed")
    text = GENERATORS[server](of(public(), private(), signed, application=""))
    assert "/srv/private" not in text
    assert "/srv/signed" not in text
    assert "127.0.0.1" not in text
    assert text.count("so nobody gets any") == 2
    assert "404" in text
    assert GENERATORS[server](of()) == ""


@pytest.mark.parametrize("server", GENERATORS)
@pytest.mark.parametrize(
    "media",
    [
        (public(), public("/srv/other", alias="other")),  # one URL
        (public(prefix="/"),),
        (public(prefix="/media"),),
        (public(prefix="/a//b/"),),
        (public(prefix="/a/../b/"),),
        (public(prefix=""),),  # public, and nowhere
        (public("media"),),  # relative: to what?
    ],
)
def test_places_that_no_server_can_tell_apart_are_refused(server: str, media: tuple[MediaPolicy, ...]) -> None:
    with pytest.raises(ConfigError):
        GENERATORS[server](of(*media))


@pytest.mark.parametrize(
    "media",
    [
        (private(), private("/srv/b", "/b/", "b")),  # both below /protected/
        (private(), private("/srv/b", "/b/", "b", delivery=DeliveryConfig("x-accel-redirect", "/protected/b/"))),
        (private(), public("/srv/b", "/protected/b/", "b")),
        (private(prefix="/protected/"),),
        (private(delivery=DeliveryConfig("x-accel-redirect", "/")),),
    ],
)
def test_what_is_handed_over_is_in_one_place(media: tuple[MediaPolicy, ...]) -> None:
    with pytest.raises(ConfigError, match="internal_url"):
        media_nginx.blocks(of(*media))


def test_one_folder_with_two_options_is_refused_for_apache() -> None:
    both = public(), public(prefix="/also/", alias="also", cache_control="no-cache")
    with pytest.raises(ConfigError, match="one folder"):
        media_apache.blocks(of(*both))
    assert media_apache.blocks(of(public(), public(prefix="/also/", alias="also"))).count("<Directory") == 1


def test_a_key_that_nginx_would_misread_is_refused_and_not_shown() -> None:
    signed = SignedConfig(secure_link=True, key='very"secret')
    with pytest.raises(ConfigError) as caught:
        media_nginx.blocks(of(public(access="signed", signed=signed)))
    assert "secret" not in str(caught.value)
    good = of(public(access="signed", signed=SignedConfig(secure_link=True, key="good-key")))
    assert "THE KEY" in media_nginx.blocks(good)
    for server in ("apache", "caddy"):
        assert "good-key" not in GENERATORS[server](good)


def test_private_ones_without_a_url_are_handed_over_by_nginx_alone() -> None:
    assert "internal;" in media_nginx.blocks(of(private(prefix="")))
    assert "has no URL" in media_caddy.blocks(of(private(prefix="")))
    handed = private(prefix="", delivery=DeliveryConfig("x-sendfile"))
    assert "has no URL" in media_apache.blocks(of(handed))


def test_what_nothing_is_known_of_is_the_strictest() -> None:
    """Whatever a server takes a name for, by spelling or by case: it falls to this, or to what the name says."""
    given = rules(MediaConfig(safety=SafetyConfig(media_types={".": "text/html", ".a.b": "text/html"})))
    assert given.other_type == "application/octet-stream"
    assert given.other.attached
    assert "sandbox" in dict(given.other.fields)["Content-Security-Policy"]
    ends = {end for _, known in given.types for end in known}
    assert not {"", "a.b"} & ends
    assert {"html", "svg", "js"} <= ends


@pytest.mark.parametrize("server", GENERATORS)
def test_words_that_a_server_does_not_know_hand_nothing_over(server: str) -> None:
    """Neither nginx nor Caddy knows X-Sendfile, nor mod_xsendfile X-Accel-Redirect: the answer has no bytes then."""
    theirs = {"nginx": "x-sendfile", "apache": "x-accel-redirect", "caddy": "x-sendfile"}[server]
    for access in ("private", "signed"):
        media = private(access=access, delivery=DeliveryConfig(theirs))
        with pytest.raises(ConfigError, match="would come empty"):
            configuration(server, of(media))
        # Nobody is asked, or the application sends them.
        assert configuration(server, of(media, application=""))
        assert configuration(server, of(private(access=access, delivery=DeliveryConfig("stream"))))
    assert configuration(server, of(public(delivery=DeliveryConfig(theirs))))
