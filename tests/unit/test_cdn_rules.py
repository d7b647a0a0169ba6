"""What CDNs are told. The function and the worker run in Node; tests/services/test_edge_cache.py has Varnish itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.config import Coding, RewriteConfig, ServeConfig
from shipfiles.edge.cdn_rules import cloudflare, cloudfront, fastly, varnish
from shipfiles.edge.cdn_rules.vcl import hidden
from shipfiles.edge.drift import drift
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.errors import ConfigError
from shipfiles.http.negotiation import preferred

BOTH: tuple[Coding, ...] = ("br", "gzip")
BUCKET = "https://example-static.s3.eu-central-1.amazonaws.com/static/"
MODULES = {"cloudflare": cloudflare, "cloudfront": cloudfront, "fastly": fastly, "varnish": varnish}
FIELDS: tuple[str | None, ...] = (
    None, "", "gzip", "br", "gzip, br", "br, gzip", "gzip, deflate, br, zstd", "identity", "*", "*;q=0", "br;q=0",
    "br;q=0, gzip", "br;q=0.000,gzip;q=0.5", "gzip;q=1.0, br;q=0.8", "br;q=0.5, identity", "br;q=0.5, gzip;q=0.5",
    "x-gzip", "BR ; Q=1", "br, br;q=0", "br;q=2, gzip", "br;level=9, gzip", "gzip;q=", ",,br,", "\tbr\t", "brotli",
    "identity;q=0", "*;q=0.1, br;q=0", "gzip;q=0.1234, *", "br;q=1.000", "compress, gzip;q=0.001", "x" * 1500 + ", br",
)  # fmt: skip
"""Accept-Encoding: what RFC 9110, section 12.5.3, has for it and what clients have made of that."""


def policy(
    serve: ServeConfig | None = None,
    *,
    bucket: str = BUCKET,
    application: str = "",
    codings: Sequence[Coding] = BOTH,
    always: Sequence[str] = ("css", "js"),
    prefix: str = "/static/",
    host: str = "static.example.com",
) -> EdgePolicy:
    static = static_policy("/srv", prefix, serve or ServeConfig(), RewriteConfig(), codings, always)
    return EdgePolicy("proxy", static, host=host, bucket=bucket, application=application)


def node(program: str, asked: object, folder: Path, *, module: bool = False) -> Any:
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs Node")
    file = folder / f"program.{'mjs' if module else 'cjs'}"
    file.write_text(program)
    done = subprocess.run([found, str(file)], input=json.dumps(asked).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


CALLED = """
const asked = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(asked.map(([uri, headers]) => handler({ request: { method: 'GET', uri, headers } }))));
"""


def ask_function(made: EdgePolicy, asked: list[tuple[str, dict[str, Any]]], folder: Path) -> list[Any]:
    found: list[Any] = node(cloudfront.texts(made)["function.js"] + CALLED, asked, folder)
    return found


def test_the_function_picks_as_the_application_does(tmp_path: Path) -> None:
    uri = "/static/css/site.0123456789ab.css"
    suffix = {"br": ".br", "gzip": ".gz", "identity": ""}
    for codings in (BOTH, ("gzip",), ("gzip", "br")):
        asked = [(uri, {} if field is None else {"accept-encoding": {"value": field}}) for field in FIELDS]
        found = ask_function(policy(codings=codings), asked, tmp_path)
        expected = [uri + suffix[preferred(field, codings)[0]] for field in FIELDS]
        assert [answer["uri"] for answer in found] == expected


def test_which_names_the_function_changes(tmp_path: Path) -> None:
    both = {"accept-encoding": {"value": "br", "multiValue": [{"value": "gzip"}, {"value": "br"}]}}
    rows = {
        "/static/app.0123456789ab.js": ".br",
        # Another extension, no hash or one of another form, and what is not below the prefix.
        "/static/app.0123456789ab.svg": "", "/static/app.js": "", "/static/app.0123456789AB.js": "",
        "/static/app.0123456789abc.js": "", "/static/app.0123456789ab.js.br": "", "/static/app.0123456789ab.JS": "",
        "/static/a%20b.0123456789ab.css": ".br", "/static/site-root/.well-known/a.0123456789ab.js": ".br",
    }  # fmt: skip
    found = ask_function(policy(), [(uri, both) for uri in rows], tmp_path)
    assert {uri: answer["uri"] for uri, answer in zip(rows, found, strict=True)} == {
        uri: uri + more for uri, more in rows.items()
    }
    # Without a promise that every file has variants, none is asked for: it might not be there.
    for made in (policy(always=()), policy(codings=())):
        assert [answer["uri"] for answer in ask_function(made, [(uri, both) for uri in rows], tmp_path)] == [*rows]


def test_the_function_hides_records(tmp_path: Path) -> None:
    # Whatever the bucket, which undoes percent signs, takes for them; and what is not below the prefix at all.
    others = ["/%73tatic/.shipfiles/current.json", "/static%2F.shipfiles/current.json", "/other/x", "/", "/static/%ff",
              "/app.0123456789ab.js"]  # fmt: skip
    for answer in ask_function(policy(), [(uri, {}) for uri in [*HIDDEN, *others]], tmp_path):
        assert (answer["statusCode"], answer["headers"]["cache-control"]["value"]) == (404, "no-store")
    shown = [*SHOWN, "/%73tatic/a.css"]
    assert [answer["uri"] for answer in ask_function(policy(), [(uri, {}) for uri in shown], tmp_path)] == shown


HIDDEN = [
    "/static/.shipfiles/current.json", "/static/%2Eshipfiles/current.json", "/static/a/.env",
    "/static/a%2f%2egit/config", "/static/site-root/.env", "/static/staticfiles.json", "/static//staticfiles.json",
    "/static/%2fstaticfiles.json", "/static/staticfiles%2Ejson", "/static/%73taticfiles.json",
    "/static/site-root/.well-known/..%2f..%2f.shipfiles%2Fcurrent.json",
    "/static/site-root/.well-known/a/%2e%2E%2f%2e/x",
]  # fmt: skip
"""Nobody may see these in a bucket."""
SHOWN = [
    "/static/a.css", "/static/site-root/.well-known/security.txt", "/static/site-root/.well-known/.a/b..c",
    "/static/css/staticfiles.json", "/static/staticfiles.json.txt", "/static/a..b", "/static/xstaticfiles.json",
    "/static/staticfiles-json",
]  # fmt: skip


def test_the_worker_hides_records(tmp_path: Path) -> None:
    asked = [[f"https://static.example.com{path}", "br", "GET"] for path in [*HIDDEN, "/%73tatic/a", "/", *SHOWN]]
    found = ask_worker(policy(always=()), {}, asked, tmp_path)
    assert [bool(answer[3]) for answer in found] == [False] * (len(HIDDEN) + 2) + [True] * len(SHOWN)
    assert {answer[0] for answer in found} == {404}


def test_the_vcl_hides_records() -> None:
    """The condition by Python's own expressions, of which these have nothing else."""
    static = policy().static
    assert static is not None
    written = re.sub(r'URL (!?~) \{"(.*?)"\}', r"(\1 r'\2')", hidden(static, "URL"))
    told = re.sub(r"\((!?)~ (r'.*?')\)", r"(\1bool(re.search(\2, url)))", written)
    told = " ".join(told.replace("(!bool", "(not bool").replace("||", " or ").replace("&&", " and ").split())
    for url in [*HIDDEN, *SHOWN]:
        assert bool(eval(told, {"re": re, "url": url})) is (url in HIDDEN), url
    for name in ("varnish", "fastly"):
        assert hidden(static, "req.url" if name == "varnish" else "req.url.path") in "".join(
            MODULES[name].texts(policy()).values()
        )


@pytest.mark.parametrize("name", ["fastly", "varnish"])
def test_pages_do_not_pass_for_static_files(name: str) -> None:
    with pytest.raises(ConfigError, match="the root of its host"):
        MODULES[name].texts(policy(bucket="", application="http://127.0.0.1:8000", prefix="/"))
    assert MODULES[name].texts(policy(prefix="/"))


WORKED = """
import { readFileSync } from 'node:fs';
const { bucket, asked } = JSON.parse(readFileSync(0));
const store = new Map(), sent = [];
globalThis.caches = { default: {
    match: async (key) => store.get(key.url)?.clone(),
    put: async (key, answer) => { store.set(key.url, answer); },
} };
globalThis.fetch = async (url, options) => {
    sent.push([options.method, url, options.cf.cacheTtlByStatus]);
    const found = bucket[url];
    if (!found) return new Response('no', { status: 404 });
    return new Response(found[0], { headers: { ...found[1], 'Set-Cookie': 'a=b' } });
};
const answers = [];
for (const [url, accepted, method] of asked) {
    sent.length = 0;
    const waiting = [];
    const request = new Request(url, { method, headers: { Cookie: 'session=1' } });
    Object.defineProperty(request, 'cf', { value: accepted === null ? {} : { clientAcceptEncoding: accepted } });
    const answer = await worker.fetch(request, {}, { waitUntil: (one) => waiting.push(one) });
    await Promise.all(waiting);
    answers.push([answer.status, Object.fromEntries(answer.headers), await answer.text(), [...sent]]);
}
console.log(JSON.stringify(answers));
"""


def ask_worker(made: EdgePolicy, bucket: dict[str, Any], asked: list[Any], folder: Path) -> list[Any]:
    text = cloudflare.texts(made)["worker.js"].replace("export default", "const worker =")
    found: list[Any] = node(text + WORKED, {"bucket": bucket, "asked": asked}, folder, module=True)
    return found


def test_the_worker_picks_as_the_application_does(tmp_path: Path) -> None:
    key = "css/site.0123456789ab.css"
    bucket = {BUCKET + key + suffix: [token, {}] for suffix, token in
              (("", "identity"), (".br", "br"), (".gz", "gzip"))}  # fmt: skip
    url = f"https://static.example.com/static/{key}"
    found = ask_worker(policy(always=()), bucket, [[url, field, "GET"] for field in FIELDS], tmp_path)
    assert [answer[2] for answer in found] == [preferred(field, BOTH)[0] for field in FIELDS]
    assert {answer[1]["vary"] for answer in found} == {"Accept-Encoding"}
    assert not [answer for answer in found if "set-cookie" in answer[1]]


def test_the_worker_and_files_without_variants(tmp_path: Path) -> None:
    serve = ServeConfig(headers={"small.css": {"X-Robots-Tag": "noindex"}, "*.svg": "inert"})
    name = "small.0123456789ab.css"
    url = "https://static.example.com/static/"
    asked = [[url + name, "br", "GET"], [url + name, "br", "GET"], [url + name, "gzip", "HEAD"],
             [url + "late.0123456789ab.js", "br", "GET"], [url + "plain.css", "br", "GET"],
             [url + ".shipfiles/current.json", "br", "GET"], [url + name, "br", "POST"]]  # fmt: skip
    bucket = {BUCKET + name: ["small", {"Cache-Control": "max-age=31536000"}], BUCKET + "plain.css": ["plain", {}]}
    first, second, head, late, plain, hidden, post = ask_worker(policy(serve), bucket, asked, tmp_path)
    assert (first[0], first[2], [url for _, url, _ in first[3]]) == (
        200, "small", [BUCKET + name + ".br", BUCKET + name],
    )  # fmt: skip
    assert first[1]["x-robots-tag"] == "noindex"
    assert first[1]["access-control-allow-origin"] == "*"
    # What was found is kept: a file without a variant is not asked for twice.
    assert (second[0], second[2], second[3]) == (200, "small", [])
    assert (head[0], [method for method, _, _ in head[3]]) == (200, ["HEAD", "HEAD"])
    assert (late[0], late[1]["cache-control"]) == (404, "no-store")
    assert all(kept["300-599"] == -1 for answer in (first, late, plain) for _, _, kept in answer[3])
    # For how long a plain name is kept is up to its Cache-Control.
    assert (plain[2], plain[3]) == ("plain", [["GET", BUCKET + "plain.css", {"300-599": -1}]])
    assert "vary" not in plain[1]
    assert (hidden[0], hidden[3]) == (404, [])
    assert (post[0], post[3]) == (405, [])


@given(
    st.lists(st.sampled_from([*"br,gzip;q=0.1 *-x\t", "br", "gzip", ";q=", "0.5", "identity"]), max_size=25).map(
        "".join
    )
)
def test_what_the_vcl_of_varnish_takes_for_leave_is_leave(field: str) -> None:
    """It does not weigh them, but never sends what was not accepted."""
    given_weights = preferred(field, BOTH)
    from shipfiles.edge.cdn_rules.vcl import accepted

    for coding in BOTH:
        some, none = accepted(coding)
        if re.search(some, field) and not re.search(none, field):
            assert coding in given_weights


@pytest.mark.parametrize("name", ["CreateFunction", "CreateCachePolicy", "CreateResponseHeadersPolicy", "errors"])
def test_amazon_s_own_model_of_its_api_takes_the_json(name: str) -> None:
    botocore = pytest.importorskip("botocore.session")
    validate = pytest.importorskip("botocore.validate").ParamValidator()
    model = botocore.get_session().get_service_model("cloudfront")
    serve = ServeConfig(
        headers={"*": {"X-Robots-Tag": "noindex", "Content-Security-Policy": "default-src 'none'"}},
        default_headers={"Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age=60; preload"},
    )
    texts = cloudfront.texts(policy(serve))
    given_json, shape = {
        "CreateFunction": (
            {"Name": "shipfiles-static", "FunctionCode": texts["function.js"].encode(),
             "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"}}, None,
        ),
        "CreateCachePolicy": ({"CachePolicyConfig": json.loads(texts["cache-policy.json"])}, None),
        "CreateResponseHeadersPolicy": (
            {"ResponseHeadersPolicyConfig": json.loads(texts["response-headers-policy.json"])}, None,
        ),
        "errors": (json.loads(texts["error-responses.json"]), "CustomErrorResponses"),
    }[name]  # fmt: skip
    shape = model.shape_for(shape) if shape else model.operation_model(name).input_shape
    assert validate.validate(given_json, shape).generate_report() == ""
    # What the model passes over: a misspelt member, and a count that is not that of the items.
    unknown = [*_unknown(given_json, shape)]
    assert unknown == []


def _unknown(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure":
        yield from (f"{shape.name}.{name}" for name in value if name not in shape.members)
        for name, inner in value.items():
            if name in shape.members:
                yield from _unknown(inner, shape.members[name])
        if "Quantity" in value and value["Quantity"] != len(value.get("Items", ())):
            yield f"{shape.name}.Quantity"
    elif shape.type_name == "list":
        for inner in value:
            yield from _unknown(inner, shape.member)


def test_what_cloudfront_knows_by_name_is_not_among_custom_fields() -> None:
    serve = ServeConfig(default_headers={"Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "X-Own": "a"})
    made = json.loads(cloudfront.texts(policy(serve))["response-headers-policy.json"])
    assert made["SecurityHeadersConfig"] == {
        "ContentTypeOptions": {"Override": True},
        "ReferrerPolicy": {"Override": True, "ReferrerPolicy": "same-origin"},
        "FrameOptions": {"Override": True, "FrameOption": "DENY"},
    }
    assert [item["Header"] for item in made["CustomHeadersConfig"]["Items"]] == ["X-Own", "Vary"]
    with pytest.raises(ConfigError, match="CloudFront takes 10"):
        cloudfront.texts(policy(ServeConfig(default_headers={f"X-{n}": "a" for n in range(11)})))
    with pytest.raises(ConfigError, match="10000 is its limit"):
        cloudfront.texts(policy(always=[f"extension{n}" for n in range(900)]))


@pytest.mark.parametrize("name", MODULES)
def test_an_application_as_the_origin_has_all_fields_itself(name: str) -> None:
    texts = MODULES[name].texts(policy(bucket="", application="http://127.0.0.1:8000", always=()))
    assert "Access-Control-Allow-Origin" not in "".join(texts.values())
    assert not {"function.js", "worker.js", "miss.vcl"} & texts.keys()


HOSTILE = [
    '"} set req.url = "/x"; {"',
    "a\nb",
    'x"; error 200; #',
    "\\",
    "é",
    "*/ }",
    "%0d%0a",
    "`",
    "${x}",
    "</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", MODULES)
def test_no_setting_writes_a_statement_of_its_own(name: str, text: str, tmp_path: Path) -> None:
    """It is inside a string, percent-encoded, or refused."""
    programs: list[str] = []
    for made in (
        lambda: policy(prefix=f"/{text}/"),
        lambda: policy(host=text),
        lambda: policy(bucket=f"https://{text}/static/"),
        lambda: policy(bucket=f"https://example.com/{text}/"),
        lambda: policy(ServeConfig(default_headers={"X-A": text})),
        lambda: policy(ServeConfig(headers={f"{text}*": {"X-A": "b"}})),
    ):
        try:
            texts = MODULES[name].texts(made())
        except ConfigError:
            continue
        for file, written in texts.items():
            if file.endswith(".json"):
                json.loads(written)
            elif file.endswith(".vcl"):
                # Without strings and comments it is the same as ever.
                assert bare(written) == bare(MODULES[name].texts(made_plain(made()))[file])
            else:
                programs.append("{" + written.replace("export default", "void") + "}")
    if programs and shutil.which("node"):
        (tmp_path / "all.mjs").write_text("\n".join(programs))
        subprocess.run(["node", "--check", str(tmp_path / "all.mjs")], check=True, capture_output=True)


def made_plain(hostile: EdgePolicy) -> EdgePolicy:
    """The same with nothing hostile in it."""
    static = hostile.static
    assert static is not None
    headers = {"a*": {"X-A": "b"}} if static.serve.headers else {}
    default = {"X-A": "b"} if static.serve.default_headers else {}
    return policy(ServeConfig(headers=headers, default_headers=default))


def bare(text: str) -> str:
    text = re.sub(r'\{"(?:(?!"\}).)*"\}|"[^"\n]*"', "S", text)
    return re.sub(r"#.*", "", text)


@pytest.mark.parametrize("server", ["cloudfront", "cloudflare"])
def test_a_comment_by_hand_is_no_change(server: str) -> None:
    """Between any two lines, in the scripts: no quote in a pattern passes for the begin of a string."""
    for name, text in MODULES[server].texts(policy()).items():
        if name.endswith(".js"):
            lines = text.split("\n")
            for number in range(len(lines)):
                assert drift("\n".join([*lines[:number], "// by hand", *lines[number:]]), text, name) == ""


def test_why_nothing_is_asked_for_compressed() -> None:
    """As the text says it."""
    bare: dict[str, Any] = {"codings": ()}
    assert "OPTIONS['publish']['variants']" in cloudflare.texts(policy(**bare))["worker.js"]
    assert "No file is asked for compressed" not in cloudflare.texts(policy())["worker.js"]
    for given_, option in ((bare, '["publish"]["variants"]'), ({"always": ()}, '["compress"]["always"]')):
        assert f"No file is asked for compressed: OPTIONS{option}" in cloudfront.texts(policy(**given_))["function.js"]
    assert "No file is asked for compressed" not in cloudfront.texts(policy())["function.js"]
