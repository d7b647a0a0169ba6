"""S3 and what speaks it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from .object_connection import Limits, checked_endpoint, trust
from .object_fields import checked_parameters, folder, is_record
from .objects import ObjectStore
from .permissions import Verb
from .providers import PROVIDERS, Provider, ProviderName, provider_at
from .s3_objects import CopyingObjectStore
from .s3_signing import check_signing, signer_of
from .signing.signer import Signer

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_FIELDS = {
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
    "StorageClass": "Storage-Class",
}
_CONFIG = {
    "ServerSideEncryption": "server_side_encryption",
    "SSEKMSKeyId": "sse_kms_key_id",
    "BucketKeyEnabled": "sse_bucket_key_enabled",
    "RequestPayer": "request_payer",
}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl; the last: whoever has an account
_PUBLIC = ("public-read", "public-read-write", "authenticated-read")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
_STYLES = ("auto", "path", "virtual")
_PROFILE_FILES = (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config"))
# With these obstore finds credentials by itself.
_OWN_SOURCES = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip


@dataclass(frozen=True)
class S3:
    """A bucket and the way to it, in the words of django-storages."""

    bucket_name: str
    """The bucket."""
    location: str = ""
    """The folder in it under which everything is."""
    provider: ProviderName = ""
    """Whose bucket it is: ``aws``, ``backblaze``, ``cloudflare``, ``digitalocean``, ``hetzner``, ``scaleway`` or
    ``wasabi``; sets what is different there. Default: whose name is in ``endpoint_url``, AWS without one."""
    access_key: str | None = field(default=None, repr=False)
    """The key's id. Default: the environment, a profile of AWS's tools (with ``shipfiles[aws]``), the role of the
    machine or of the container."""
    secret_key: str | None = field(default=None, repr=False)
    """The key."""
    security_token: str | None = field(default=None, repr=False)
    """The token that belongs to a key for a time."""
    session_profile: str | None = None
    """The profile of AWS's tools that credentials come from; needs ``shipfiles[aws]``. Default: ``AWS_PROFILE``."""
    region_name: str | None = None
    """The region of the bucket. Default: ``AWS_REGION``, the profile's, ``us-east-1``."""
    endpoint_url: str | None = None
    """The address of the store, without the bucket. Default: the provider's; for none, ``AWS_ENDPOINT_URL_S3`` and
    ``AWS_ENDPOINT_URL``."""
    addressing_style: str | None = None
    """Where the bucket's name is: in the ``path`` or in the host name (``virtual``). ``auto``, the default: the latter
    without an ``endpoint_url``, if the name has no dot."""
    default_acl: str | None = None
    """A canned ACL for everything that is put, such as ``public-read``; one that lets everybody read is not given to
    the records in ``.shipfiles/``. Most buckets of today refuse any."""
    object_parameters: Mapping[str, object] = field(default_factory=dict)
    """What every object gets unless its put says otherwise, in boto3's words: ``CacheControl``, ``ContentDisposition``,
    ``ContentEncoding``, ``ContentLanguage``, ``ContentType``, ``Metadata``, ``StorageClass``, ``ServerSideEncryption``,
    ``SSEKMSKeyId``, ``BucketKeyEnabled``, ``RequestPayer``, ``ACL``."""
    use_ssl: bool = True
    """False asks a provider without encryption. An ``endpoint_url`` says it itself."""
    verify: bool | str | None = None
    """False trusts every certificate; a path is that of certificates to trust beside the system's."""
    signing_url: str | None = None
    """The address at which browsers find the bucket, where it is another than that which the store is asked at:
    ``https://d111111abcdef8.cloudfront.net``, or ``https://files.example.com/bucket`` for a MinIO that the
    application knows as ``http://minio:9000``. Signed URLs are made for it, by CloudFront's rules if
    ``cloudfront_key_id`` is given."""
    cloudfront_key_id: str | None = None
    """The id of a public key that the CloudFront distribution at ``signing_url`` trusts."""
    cloudfront_key: object = field(default=None, repr=False)
    """The private key that belongs to it, RSA or ECDSA: the text of its PEM file; needs ``shipfiles[cloudfront]``."""
    cloudfront_signer: object = field(default=None, repr=False)
    """Instead of the two: botocore's ``CloudFrontSigner``, or what has its method ``generate_presigned_url``."""
    limits: Limits = field(default_factory=Limits)
    """How long the store is waited for."""

    extra = "s3"
    own = "x-amz-meta-"
    batch = 1000

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.bucket_name):
            raise ConfigError(f"bucket_name {self.bucket_name!r} cannot be the name of a bucket.")
        if (self.access_key is None) != (self.secret_key is None):
            raise ConfigError("access_key and secret_key belong together: give both or neither.")
        if self.access_key is not None and self.session_profile is not None:
            raise ConfigError("session_profile and access_key are two credentials: give one of them.")
        if self.access_key is None and self.security_token is not None:
            raise ConfigError("security_token belongs to an access_key, which is not given.")
        if self.addressing_style not in (None, *_STYLES):
            raise ConfigError(f"addressing_style must be one of {', '.join(_STYLES)}, not {self.addressing_style!r}.")
        if self.region_name is not None and not _REGION.fullmatch(self.region_name):
            raise ConfigError(f"region_name {self.region_name!r} cannot be the name of a region.")
        self.endpoint()
        if self._acl and not self.preset.acl:
            raise ConfigError("default_acl: objects have no ACL at this provider. Make the bucket public there.")
        folder(self.location)
        _ = self.fields
        check_signing(self)

    def store(self) -> ObjectStore:
        """The bucket as a store."""
        return CopyingObjectStore(self, self.new_copies) if self.preset.copies else ObjectStore(self)

    @property
    def preset(self) -> Provider:
        """What is different with its provider."""
        address = self._given_endpoint()
        return provider_at(address) if address and not self.provider else PROVIDERS[self.provider]

    @property
    def needs(self) -> Mapping[str, str]:
        """See `Needs`."""
        found = {"obstore": self.extra}
        if self.session_profile is not None:
            found["boto3"] = "aws"
        if self.cloudfront_key is not None and self.cloudfront_signer is None:
            found["cryptography"] = "cloudfront"
        return found

    @property
    def name(self) -> str:
        """The store as people know it."""
        return f"s3://{self.bucket_name}/{self.prefix}".rstrip("/")

    @property
    def prefix(self) -> str:
        """Before all keys."""
        return folder(self.location)

    @property
    def conditional(self) -> bool:
        """Whether it can be asked to put on a condition."""
        return self.preset.conditional

    @property
    def proven(self) -> bool:
        """Whether it is known to heed conditions."""
        return self.preset.proven

    @property
    def new_copies(self) -> str:
        """How a copy that replaces nothing is asked for, see `Provider`."""
        return (PROVIDERS["aws"] if self.endpoint() is None else self.preset).new_copies

    @property
    def permissions(self) -> Mapping[Verb, str]:
        """What must be granted for each verb, in the provider's words."""
        return self.preset.permissions

    @property
    def fields(self) -> Mapping[str, str]:
        """What every object answers with."""
        return checked_parameters(self.object_parameters, _FIELDS, self.own, {**_CONFIG, "ACL": ""})

    @property
    def _acl(self) -> str:
        return str(self.default_acl or self.object_parameters.get("ACL") or "")

    def write_headers(self, key: str) -> Mapping[str, str]:
        """With every request that writes ``key``."""
        if not self._acl or (is_record(key) and self._acl in _PUBLIC):
            return {}
        return {"x-amz-acl": self._acl}

    def _given_endpoint(self) -> str | None:
        if self.endpoint_url is not None or self.provider:
            return self.endpoint_url
        return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None

    def endpoint(self) -> str | None:
        """Where to ask, without the bucket; ``None`` for AWS. Raises `ConfigError`."""
        endpoint = self._given_endpoint()
        if endpoint is not None:
            checked_endpoint(endpoint)
            self._check_without_bucket(endpoint)
        preset = self.preset
        if endpoint is None and preset.advice:
            raise ConfigError(f"provider {self.provider!r} needs endpoint_url: {preset.advice}")
        if endpoint is None and preset.endpoint:
            if self.region_name is None:
                raise ConfigError(f"provider {self.provider!r} needs region_name.")
            endpoint = preset.endpoint.format(region=self.region_name)
            if not self.use_ssl:
                endpoint = endpoint.replace("https://", "http://")
        if endpoint is None:
            if not self.use_ssl:
                raise ConfigError("use_ssl: AWS is asked with encryption only.")
            return None
        return endpoint.rstrip("/")

    def _check_without_bucket(self, endpoint: str) -> None:
        """Raise `ConfigError` if ``endpoint`` holds the bucket's name, which is sent besides.

        R2's dashboard shows it in the path, that of DigitalOcean in the host's name. All would go to other keys then.
        """
        address = urlsplit(endpoint)
        bucket, theirs = self.bucket_name.lower(), self.preset.host
        head, _, host = address.netloc.lower().partition(f"{bucket}.")
        in_host = not head and bool(host) and not _ADDRESS.fullmatch(address.hostname or "")
        known = bool(theirs) and f".{address.hostname}".endswith(theirs)
        if known and not host.partition(":")[0].endswith(theirs):
            in_host = False  # what is left is no host of theirs: "fra1" can be a bucket's name, too
        parts = [part for part in address.path.split("/") if part]
        in_path = bucket in (part.lower() for part in parts)
        if not (in_host or in_path) or (self.addressing_style == "path" and not known):
            return
        path = "".join(f"/{part}" for part in parts[: [*map(str.lower, parts), bucket].index(bucket)])
        bare = address._replace(netloc=host if in_host else address.netloc, path=path).geturl()
        source = "endpoint_url" if self.endpoint_url is not None else "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL"
        otherwise = "" if known else " If that is the store's own address, set addressing_style to 'path'."
        raise ConfigError(
            f"{source} holds the name of the bucket, which is added to it: write {bare!r} instead of {endpoint!r}."
            f"{otherwise}"
        )

    @property
    def virtual(self) -> bool:
        """Whether the bucket's name is in the host name."""
        if self.addressing_style in (None, "auto"):
            return self.endpoint() is None and "." not in self.bucket_name
        return self.addressing_style == "virtual"

    def signer(self) -> Signer:
        """What signs URLs: see `signer_of`. Raises `ConfigError`."""
        return signer_of(self)

    def client(self, module: Any, headers: Mapping[str, str], limits: Limits) -> Any:
        """A client of obstore's ``module`` that sends ``headers`` with every request."""
        endpoint, virtual = self.endpoint(), self.virtual
        config: dict[str, Any] = {"virtual_hosted_style_request": virtual, "conditional_put": "etag"}
        if endpoint is not None:
            address = urlsplit(endpoint)
            # obstore wants the bucket in it; this key is the one that no variable of the environment overrides.
            host = address._replace(netloc=f"{self.bucket_name}.{address.netloc}").geturl() if virtual else endpoint
            config["aws_endpoint_url_s3"] = host
        if region := self.preset.region or self.region_name:
            config["region"] = region
        if self.preset.checksum:
            config["checksum_algorithm"] = "sha256"
        if self.new_copies:
            config["copy_if_not_exists"] = "multipart"
        config |= {_CONFIG[name]: value for name, value in self.object_parameters.items() if name in _CONFIG}
        options = limits.client_options() | trust(self.verify)
        options |= {"default_headers": dict(headers), "allow_http": bool(endpoint and endpoint.startswith("http://"))}
        return module._store.S3Store(
            self.bucket_name,
            config=config,
            client_options=options,
            retry_config=limits.retry_config(),
            credential_provider=self._credentials(),
        )

    def _credentials(self) -> Any:
        """What gives obstore credentials; ``None`` if it finds them itself. Raises `ConfigError`."""
        if self.access_key is not None:
            # Given this way, no token of the environment, which belongs to another key, is added.
            given = {
                "access_key_id": self.access_key,
                "secret_access_key": self.secret_key,
                "token": self.security_token,
                "expires_at": None,
            }
            return lambda: given
        if self.session_profile is None and any(os.environ.get(name) for name in _OWN_SOURCES):
            return None
        profile = self.session_profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
        files = (os.path.expanduser(os.environ.get(name) or path) for name, path in _PROFILE_FILES)
        if profile is None and not any(map(os.path.exists, files)):
            return None
        return _of_profile(profile)


def _of_profile(profile: str | None) -> Any:
    try:
        boto3, botocore = import_module("boto3"), import_module("botocore.exceptions")
        provider = import_module("obstore.auth.boto3").Boto3CredentialProvider
    except ImportError as error:
        if profile is None:
            return None
        raise ConfigError(
            f"The AWS profile {profile!r} needs boto3, which cannot be imported: {error}. "
            "Run: pip install 'shipfiles[aws]'."
        ) from None
    try:
        return provider(boto3.Session(profile_name=profile))
    except ValueError:
        # A profile without credentials: the role of the machine has them.
        return None
    except botocore.BotoCoreError as error:
        raise ConfigError(f"The AWS profile {profile!r} cannot be used: {str(error).strip()}") from None
