"""Google Cloud Storage: its options."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import ConfigError
from .google_connection import Engine
from .google_objects import CopyingGoogleStore, GoogleStore
from .object_connection import Limits, checked_endpoint
from .object_fields import PARAMETERS, STORAGE_CLASS, checked_parameters, folder, is_record
from .permissions import GOOGLE, Verb
from .signing.google import GoogleSigner, Hand, hmac_hand, iam_hand, key_hand
from .signing.signer import Signer

# https://docs.cloud.google.com/storage/docs/buckets#naming
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_QUANTUM = 256 << 10
_FIELDS = {**PARAMETERS, "storage_class": STORAGE_CLASS}
# https://docs.cloud.google.com/storage/docs/access-control/lists#predefined-acl, for objects
_ACLS = (
    "authenticatedRead", "bucketOwnerFullControl", "bucketOwnerRead", "private", "projectPrivate", "publicRead",
)  # fmt: skip
_ACL_OF_HEADER = {re.sub("[A-Z]", lambda found: "-" + found[0].lower(), name): name for name in _ACLS}
_PUBLIC = ("authenticatedRead", "publicRead")  # the former: whoever has an account of Google
_CONNECTIONS = 64


@dataclass(frozen=True)
class Google:
    """A bucket and the way to it, in the words of django-storages."""

    bucket_name: str
    """The bucket."""
    location: str = ""
    """The folder in it under which everything is."""
    project_id: str | None = None
    """The project that asks. Default: none is named; a bucket knows its own."""
    credentials: object = field(default=None, repr=False)
    """Credentials of ``google-auth``, or a service account's key: the path of its file, or what is in it as a mapping.
    Default: ``GOOGLE_APPLICATION_CREDENTIALS``, ``gcloud``'s, the service account of the machine."""
    endpoint_url: str | None = None
    """The address of the API, where it is another than Google's. Default: ``STORAGE_EMULATOR_HOST``."""
    default_acl: str | None = None
    """A predefined ACL for everything that is put, such as ``publicRead``; one that lets everybody read is not given
    to the records in ``.shipfiles/``. Buckets with uniform access refuse any; with one, nothing is copied within the
    bucket."""
    object_parameters: Mapping[str, object] = field(default_factory=dict)
    """What every object gets unless its put says otherwise: ``cache_control``, ``content_disposition``,
    ``content_encoding``, ``content_language``, ``content_type``, ``metadata``, ``storage_class``, ``acl``."""
    blob_chunk_size: int = 8 << 20
    """How much of a file of more than 5 MiB one request sends; a multiple of 256 KiB. Bytes."""
    hmac_access_id: str | None = None
    """The id of an HMAC key, with which URLs are signed instead of ``credentials``."""
    hmac_secret: str | None = field(default=None, repr=False)
    """The HMAC key."""
    iam_sign_blob: bool = False
    """Whether Google signs URLs with a key of its own, where the credentials have none: a request for each URL that was
    not signed lately."""
    sa_email: str | None = None
    """The service account that signs then. Default: that of the credentials."""
    signing_url: str | None = None
    """The address of the bucket for browsers, where it is another than Google's: ``https://files.example.com``. Signed
    URLs are made for it."""
    limits: Limits = field(default_factory=Limits)
    """How long the store is waited for."""

    extra = "google"
    own = "x-goog-meta-"
    batch = 100  # https://docs.cloud.google.com/storage/docs/batch
    conditional = True
    proven = True
    permissions: ClassVar[Mapping[Verb, str]] = GOOGLE
    not_honoured: ClassVar[Mapping[str, tuple[object, str]]] = {
        "custom_endpoint": (None, "it is the address that pages use: say it as base_url. The API's is endpoint_url"),
        "querystring_auth": (False, "static files are public, their URLs are not signed"),
        "expiration": (None, "static files are public, their URLs are not signed"),
        "file_overwrite": (True, "files of one name with other bytes get other hashed names"),
        "gzip": (False, "files are compressed when they are built: see OPTIONS['compress']"),
        "gzip_content_types": (None, "files are compressed when they are built: see OPTIONS['compress']"),
        "max_memory_size": (None, "no body of more than a few MiB is held in memory, whatever is set"),
    }
    """Options of django-storages that do nothing here → the value which asks for nothing else, and why."""

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.bucket_name):
            raise ConfigError(f"bucket_name {self.bucket_name!r} cannot be the name of a bucket.")
        if self.blob_chunk_size <= 0 or self.blob_chunk_size % _QUANTUM:
            raise ConfigError(f"blob_chunk_size must be a multiple of 256 KiB (262144), not {self.blob_chunk_size}.")
        given = self.credentials
        if given is not None and not isinstance(given, (str, Mapping)) and not hasattr(given, "before_request"):
            raise ConfigError(
                "credentials must be credentials of google-auth, the path of a service account's key, or what is in it."
            )
        if self.endpoint_url is not None:
            checked_endpoint(self.endpoint_url)
        if self.signing_url is not None:
            checked_endpoint(self.signing_url, "signing_url")
        if (self.hmac_access_id is None) != (self.hmac_secret is None):
            raise ConfigError("hmac_access_id and hmac_secret belong together: give both or neither.")
        if self.iam_sign_blob and self.hmac_secret is not None:
            raise ConfigError("iam_sign_blob and hmac_secret are two ways to sign: give one of them.")
        folder(self.location)
        _ = self.acl, self.fields

    def store(self) -> GoogleStore:
        """The bucket as a store."""
        return GoogleStore(self) if self.acl else CopyingGoogleStore(self)

    @property
    def needs(self) -> Mapping[str, str]:
        """See `Needs`."""
        return {"google.cloud.storage": self.extra}

    @property
    def name(self) -> str:
        """The store as people know it."""
        return f"gs://{self.bucket_name}/{self.prefix}".rstrip("/")

    @property
    def prefix(self) -> str:
        """Before all keys."""
        return folder(self.location)

    @property
    def fields(self) -> Mapping[str, str]:
        """What every object answers with."""
        return checked_parameters(self.object_parameters, _FIELDS, self.own, {"acl": ""})

    @property
    def acl(self) -> str | None:
        """The predefined ACL that is asked for. Raises `ConfigError`."""
        acl = self.object_parameters.get("acl", self.default_acl)
        if acl is None:
            return None
        known = _ACL_OF_HEADER.get(acl, acl) if isinstance(acl, str) else None
        if known not in _ACLS:
            raise ConfigError(f"default_acl must be one of {', '.join(_ACLS)}, not {acl!r}.")
        return known

    def acl_of(self, key: str) -> str | None:
        """The predefined ACL of ``key`` when it is put."""
        return None if is_record(key) and self.acl in _PUBLIC else self.acl

    def write_headers(self, key: str) -> Mapping[str, str]:  # noqa: ARG002
        """None: what is so for every object is said in the words of Google's client."""
        return {}

    @property
    def chunk_size(self) -> int:
        """How much of a large body one request sends. Bytes."""
        return self.blob_chunk_size

    def signer(self) -> Signer:
        """What signs URLs."""
        endpoint = self.endpoint_url or os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
        endpoint = endpoint if "//" in endpoint else f"http://{endpoint}"
        return GoogleSigner(self.signing_url or f"{endpoint.rstrip('/')}/{self.bucket_name}", self._hand)

    def _hand(self) -> Hand:
        """Who signs. Raises `ConfigError`, and `StoreError` where Google must be asked."""
        if self.hmac_access_id is not None and self.hmac_secret is not None:
            return hmac_hand(self.hmac_access_id, self.hmac_secret)
        module = Engine(self.extra)
        credentials = self._credentials(module)
        if credentials is None:
            credentials = module.default_credentials()
        return iam_hand(credentials, self.sa_email) if self.iam_sign_blob else key_hand(credentials)

    def client(self, module: Any, headers: Mapping[str, str], limits: Limits) -> Any:  # noqa: ARG002
        """A client of Google's; ``module`` is an `Engine`. Raises `ConfigError`, and what google-auth raises."""
        endpoint = {"api_endpoint": self.endpoint_url.rstrip("/")} if self.endpoint_url else None
        client = module.storage.Client(
            project=self.project_id, credentials=self._credentials(module), client_options=endpoint
        )
        # It would ask for the bucket's metadata besides, in a thread of its own, for a trace that nobody has asked for.
        client._bucket_metadata_cache = None
        client._http.hooks["response"].append(module.hear)
        # By default it keeps ten connections, and opens others anew for each request.
        for scheme in ("http://", "https://"):
            if not client._http.is_mtls:
                client._http.mount(scheme, module.requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS))
        return client

    def _credentials(self, module: Any) -> Any:
        """Credentials of google-auth, ``None`` if the client finds them itself. Raises `ConfigError`."""
        given = self.credentials
        account = module.service_account.Credentials
        try:
            if isinstance(given, str):
                return account.from_service_account_file(given)
            if isinstance(given, Mapping):
                return account.from_service_account_info(given)
        except OSError as error:
            raise ConfigError(f"credentials: the key's file cannot be read: {error.strerror}.") from None
        except (ValueError, module.auth_errors.GoogleAuthError):
            # Without the cause, which could show the key.
            raise ConfigError(
                "credentials: that is no service account's key. Of other kinds, set GOOGLE_APPLICATION_CREDENTIALS to "
                "the path, or give credentials of google-auth."
            ) from None
        return given
