"""django-storages' classes that have one of ours in their place: their options and settings, and what those mean here.

Its documentation lists them: https://django-storages.readthedocs.io/en/latest/backends/amazon-S3.html, gcloud.html,
azure.html and sftp.html.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..paths import url_quote
from ..stores.opening import checked_place
from .django_storages import KindOf, Meant, Other, Setting, Values

if TYPE_CHECKING:
    from ..stores import azure, google, s3, ssh

_UNSIGNED = "static files are public, and URLs that expire would break pages and style sheets that are cached"
_READABLE = "Let everybody read the files, by the bucket's policy or through a CDN, and leave it out."
_REPLACED = "files with other bytes get other hashed names, and under plain names the newest are wanted"
_LEAVE = "Leave it out."
_MEMORY = "no body of more than a few MiB is held in memory, whatever is set"
_CHOSEN = "which files are compressed is decided when they are built"
_SKIP = "Use OPTIONS['compress']['skip_extensions']."
_AT_ONCE = "Use OPTIONS['publish']['at_once']."
_PROXY = "the proxy is that of the environment"
_SET_PROXY = "Set HTTPS_PROXY in the environment."
_GZIPPED = (
    "text/css", "text/javascript", "application/javascript", "application/x-javascript", "image/svg+xml",
)  # fmt: skip
_GZIPPED_TOO = (*_GZIPPED, "application/wasm")


def cache_control(values: Values, word: str, instead: Mapping[str, str]) -> str:
    """Take Cache-Control out of ``object_parameters``, whose ``word`` for it this is: it is not the same for all files.

    ``instead`` says what to do for others that never are. Raises `ConfigError`.
    """
    given = values.get("object_parameters")
    if not isinstance(given, Mapping):
        return ""
    rest = dict(given)
    for name, what in instead.items():
        if rest.get(name):
            raise ConfigError(f"object_parameters[{name!r}] cannot be the same for all files. {what}")
        rest.pop(name, None)
    control = rest.pop(word, None)
    if control is not None and not isinstance(control, str):
        raise ConfigError(f"object_parameters[{word!r}] must be a string.")
    values["object_parameters"] = rest
    return control or ""


_TYPES = "Each has its own; OPTIONS['serve']['media_types'] adds some."
_CODINGS = "gzip=True stores files compressed."

_METHODS = {
    "get_default_settings": "Give what it returns as attributes of the class, or in OPTIONS.",
    "get_object_parameters": "OPTIONS['serve']['headers'] has header fields by pattern; what is the same for all is "
    "object_parameters.",
}

# S3.


def _s3(values: Values) -> Meant:
    from ..stores.s3 import S3

    choose_key(values)
    control = cache_control(values, "CacheControl", {"ContentType": _TYPES, "ContentEncoding": _CODINGS})
    place = checked_place(S3, values.only(S3), "OPTIONS")
    url, faults = s3_url(values, place)
    return Meant(place, url, bool(values.get("gzip")), control, faults)


def s3_url(values: Values, place: s3.S3) -> tuple[str, tuple[str, ...]]:
    """Where browsers find what is in ``place``, and what is odd about how it is written. Raises `ConfigError`."""
    from .addresses import checked_protocol, of_domain, of_s3

    protocol = values.text("url_protocol") if values.get("url_protocol") is not None else "https:"
    if not protocol and values.sources.get("url_protocol"):
        protocol = "https:"  # an empty setting counts as none, an empty option as one
    protocol = checked_protocol(protocol)
    if values.text("base_url"):
        return values.text("base_url"), ()
    if domain := values.text("custom_domain"):
        host, fault = of_domain(domain, protocol, "custom_domain")
        return host + url_quote(place.prefix), (f"custom_domain {domain!r} has {fault}",) * bool(fault)
    return of_s3(place), ()


def choose_key(values: Values) -> None:
    """Leave out what the client of the store finds in the environment itself, and a token that belongs to another."""
    sources = values.sources
    source, secret = sources.get("access_key", ""), sources.get("secret_key", "")
    if source.startswith("$") and secret.startswith("$"):
        both = (source, secret) == ("$AWS_ACCESS_KEY_ID", "$AWS_SECRET_ACCESS_KEY")
        if both or values.get("session_profile"):
            values.drop("access_key", "secret_key")
    if sources.get("security_token", "").startswith("$") and values.get("access_key") != os.environ.get(
        "AWS_ACCESS_KEY_ID", object()
    ):
        values.drop("security_token")


S3 = KindOf(
    settings={
        "bucket_name": ("AWS_STORAGE_BUCKET_NAME",),
        "location": ("AWS_LOCATION",),
        "access_key": ("AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
        "secret_key": ("AWS_S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
        "security_token": ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
        "session_profile": ("AWS_S3_SESSION_PROFILE",),
        "region_name": ("AWS_S3_REGION_NAME",),
        "endpoint_url": ("AWS_S3_ENDPOINT_URL",),
        "addressing_style": ("AWS_S3_ADDRESSING_STYLE",),
        "custom_domain": ("AWS_S3_CUSTOM_DOMAIN",),
        "url_protocol": ("AWS_S3_URL_PROTOCOL",),
        "default_acl": ("AWS_DEFAULT_ACL",),
        "object_parameters": ("AWS_S3_OBJECT_PARAMETERS",),
        "gzip": ("AWS_IS_GZIPPED",),
        "use_ssl": ("AWS_S3_USE_SSL",),
        "verify": ("AWS_S3_VERIFY",),
    },
    environment={
        "access_key": ("AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
        "secret_key": ("AWS_S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
        "security_token": ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
        "session_profile": ("AWS_S3_SESSION_PROFILE",),
    },
    more=("provider", "limits"),
    others={
        "querystring_auth": Other(_UNSIGNED, _READABLE, (False,)),
        "querystring_expire": Other(_UNSIGNED, _READABLE, (3600,)),
        "cloudfront_key": Other(_UNSIGNED, _READABLE),
        "cloudfront_key_id": Other(_UNSIGNED, _READABLE),
        "cloudfront_signer": Other(_UNSIGNED, _READABLE),
        "file_overwrite": Other(_REPLACED, _LEAVE, (True,)),
        "signature_version": Other(
            "requests are signed with version 4, which all buckets take", _LEAVE, ("s3v4", "v4"),
            "AWS_S3_SIGNATURE_VERSION",
        ),
        "file_name_charset": Other("keys are UTF-8", _LEAVE, ("utf-8", "UTF-8"), "AWS_S3_FILE_NAME_CHARSET"),
        "gzip_content_types": Other(_CHOSEN, _SKIP, (_GZIPPED, _GZIPPED_TOO), "GZIP_CONTENT_TYPES"),
        "proxies": Other(_PROXY, _SET_PROXY, ({},), "AWS_S3_PROXIES"),
        "max_memory_size": Other(_MEMORY, _LEAVE, (0,)),
        "use_threads": Other("files are sent at the same time", "Use OPTIONS['publish']['at_once'] = 1.", (True,)),
        "transfer_config": Other("it is boto3's, which is not used", _AT_ONCE, (), "AWS_S3_TRANSFER_CONFIG"),
        "client_config": Other(
            "it is boto3's, which is not used",
            "Use addressing_style, region_name and limits, all among OPTIONS; of checksums nothing need be said.",
            (),
            "AWS_S3_CLIENT_CONFIG",
        ),
    },
    meant=_s3,
    methods=_METHODS,
)  # fmt: skip

# Google Cloud Storage.


def _google(values: Values) -> Meant:
    from ..stores.google import Google

    control = cache_control(values, "cache_control", {"content_type": _TYPES, "content_encoding": _CODINGS})
    place = checked_place(Google, values.only(Google), "OPTIONS")
    url, faults = google_url(values, place)
    return Meant(place, url, bool(values.get("gzip")), control, faults)


def google_url(values: Values, place: google.Google) -> tuple[str, tuple[str, ...]]:
    """As `s3_url`."""
    from .addresses import of_domain, of_google

    if values.text("base_url"):
        return values.text("base_url"), ()
    if endpoint := values.text("custom_endpoint"):
        host, fault = of_domain(endpoint, "", "custom_endpoint")
        if host.startswith("//"):
            host, fault = f"https:{host}", "no scheme" + f" and {fault}" * ("closing" in fault)
        else:
            fault = "a closing slash" if "closing" in fault else ""  # a scheme belongs there
        return host + url_quote(place.prefix), (f"custom_endpoint {endpoint!r} has {fault}",) * bool(fault)
    return of_google(place), ()


GOOGLE = KindOf(
    settings={
        "bucket_name": ("GS_BUCKET_NAME",),
        "location": ("GS_LOCATION",),
        "project_id": ("GS_PROJECT_ID",),
        "credentials": ("GS_CREDENTIALS",),
        "custom_endpoint": ("GS_CUSTOM_ENDPOINT",),
        "default_acl": ("GS_DEFAULT_ACL",),
        "object_parameters": ("GS_OBJECT_PARAMETERS",),
        "blob_chunk_size": ("GS_BLOB_CHUNK_SIZE",),
        "gzip": ("GS_IS_GZIPPED",),
    },
    more=("endpoint_url", "limits"),
    others={
        "querystring_auth": Other(_UNSIGNED, _READABLE, (False,)),
        "expiration": Other(_UNSIGNED, _READABLE),
        "iam_sign_blob": Other(_UNSIGNED, _READABLE, (False,)),
        "sa_email": Other(_UNSIGNED, _READABLE),
        "file_overwrite": Other(_REPLACED, _LEAVE, (True,)),
        "gzip_content_types": Other(_CHOSEN, _SKIP, (_GZIPPED, _GZIPPED_TOO), "GZIP_CONTENT_TYPES"),
        "max_memory_size": Other(_MEMORY, _LEAVE, (0,)),
    },
    meant=_google,
    methods=_METHODS,
)

# Azure Blob Storage.


def _azure(values: Values) -> Meant:
    from ..stores.azure import Azure

    choose_credential(values)
    control = cache_control(values, "cache_control", {"content_type": _TYPES, "content_encoding": _CODINGS})
    control = control or values.text("cache_control")
    values.drop("cache_control")
    place = checked_place(Azure, values.only(Azure), "OPTIONS")
    url, faults = azure_url(values, place)
    return Meant(place, url, cache_control=control, faults=faults)


def choose_credential(values: Values) -> None:
    """Leave out all credentials but the one that counts."""
    # Of several credentials django-storages takes the first of these.
    ways = ("connection_string", "account_key", "sas_token", "token_credential")
    chosen = next((name for name in ways if values.get(name)), None)
    values.drop(*(name for name in ways if name != chosen))
    if chosen == "connection_string":
        values.drop("account_name")  # it is in there


def azure_url(values: Values, place: azure.Azure) -> tuple[str, tuple[str, ...]]:
    """As `s3_url`."""
    from .addresses import of_azure

    if values.text("base_url"):
        return values.text("base_url"), ()
    domain = values.text("custom_domain")
    url, fault = of_azure(place, domain)
    return url, (f"custom_domain {domain!r} has {fault}",) * bool(fault)


AZURE = KindOf(
    settings={
        "azure_container": ("AZURE_CONTAINER",),
        "location": ("AZURE_LOCATION",),
        "account_name": ("AZURE_ACCOUNT_NAME",),
        "account_key": ("AZURE_ACCOUNT_KEY",),
        "connection_string": ("AZURE_CONNECTION_STRING",),
        "sas_token": ("AZURE_SAS_TOKEN",),
        "token_credential": ("AZURE_TOKEN_CREDENTIAL",),
        "custom_domain": ("AZURE_CUSTOM_DOMAIN",),
        "cache_control": ("AZURE_CACHE_CONTROL",),
        "object_parameters": ("AZURE_OBJECT_PARAMETERS",),
        "azure_ssl": ("AZURE_SSL",),
        "endpoint_suffix": ("AZURE_ENDPOINT_SUFFIX",),
    },
    more=("endpoint_url", "verify", "limits"),
    others={
        "expiration_secs": Other(_UNSIGNED, _READABLE),
        "overwrite_files": Other(_REPLACED, _LEAVE, (True, False)),
        "upload_max_conn": Other("files are sent at the same time", _AT_ONCE, (2,)),
        "timeout": Other("OPTIONS['limits'] says it for each step", "Use that.", (20,)),
        "max_memory_size": Other(_MEMORY, _LEAVE, (2 << 20,)),
        "default_content_type": Other("a file's type is known", _TYPES, ("application/octet-stream",)),
        "api_version": Other("it is that of Azure's own client, which is not used", _LEAVE, (), "AZURE_API_VERSION"),
        "client_options": Other(
            "they are those of Azure's own client, which is not used", "Use limits and endpoint_url, among OPTIONS.",
            ({},), "AZURE_CLIENT_OPTIONS",
        ),
    },
    meant=_azure,
    methods=_METHODS,
)  # fmt: skip

# SFTP.

_LOGIN = "SSH logs in with keys"
_KEYS = "Leave it out, and give a key: of the agent, of OpenSSH's configuration, or params['key_filename']."


def _ssh(values: Values) -> Meant:
    return Meant(ssh_place(values), values.text("base_url"))


def ssh_place(values: Values) -> ssh.Ssh:
    """The folder on a server. Raises `ConfigError`."""
    from ..stores.ssh import Ssh

    options = values.only(Ssh)
    options |= _of_params(values.get("params") or {}, strict=not values.sources.get("params"))
    root = values.text("root_path").rstrip("/")
    # As there, what is not absolute begins where one is after the login: at home.
    options["root_path"] = root if root.startswith(("/", "~")) else f"~/{root}".rstrip("/")
    return checked_place(Ssh, options, "OPTIONS")


def _of_params(given: object, *, strict: bool) -> dict[str, Any]:
    """The option ``params``, which are arguments of paramiko, in our words. Not ``strict`` those that do nothing here
    are left out. Raises `ConfigError`, which shows no value.
    """
    if not isinstance(given, Mapping):
        raise ConfigError("params must be a dict.")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or (name, value) in _USUAL:
            continue
        if name == "key_filename" and isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        if name in _PARAMS:
            found[_PARAMS[name]] = value
        elif strict:
            raise ConfigError(f"params[{name!r}] is not honoured: {_LOGIN}. {_KEYS}")
    return found


def _unheeded_params(setting: Setting) -> Iterator[tuple[str, str, str]]:
    given = setting("SFTP_STORAGE_PARAMS", None)
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if value is not None and name not in _PARAMS and (name, value) not in _USUAL:
            yield f"SFTP_STORAGE_PARAMS[{name!r}]", _LOGIN, _KEYS


_PARAMS = {"username": "user", "port": "port", "key_filename": "identity_file"}
_USUAL = (("allow_agent", True), ("look_for_keys", True), ("compress", False), ("gss_auth", False), ("gss_kex", False))

SFTP = KindOf(
    settings={
        "host": ("SFTP_STORAGE_HOST",),
        "root_path": ("SFTP_STORAGE_ROOT",),
        "params": ("SFTP_STORAGE_PARAMS",),
        "file_mode": ("SFTP_STORAGE_FILE_MODE",),
        "dir_mode": ("SFTP_STORAGE_DIR_MODE",),
        "known_host_file": ("SFTP_KNOWN_HOST_FILE",),
        "base_url": ("SFTP_BASE_URL",),
    },
    more=("user", "port", "identity_file", "config_file", "limits"),
    picks=True,
    others={
        "interactive": Other(f"{_LOGIN}, nobody is asked", _KEYS, (False,), "SFTP_STORAGE_INTERACTIVE"),
        "uid": Other("files belong to who logs in", "Log in as their owner.", (), "SFTP_STORAGE_UID"),
        "gid": Other(
            "files have the group of who logs in", "Set the folder's group on the server, and its setgid bit.", (),
            "SFTP_STORAGE_GID",
        ),
    },
    meant=_ssh,
    methods={"get_default_settings": _METHODS["get_default_settings"]},
    unheeded=_unheeded_params,
)  # fmt: skip
