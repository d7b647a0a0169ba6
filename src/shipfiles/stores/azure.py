"""Azure Blob Storage."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from ..errors import ConfigError, os_reason, printable
from .azure_objects import AzureStore
from .object_connection import Limits, checked_endpoint, trust
from .object_fields import PARAMETERS, checked_parameters, folder
from .permissions import AZURE, Verb
from .signing.azure import AzureSigner, account_key
from .signing.azure_delegation import DelegationKeys
from .signing.signer import Signer

# https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]|\$root|\$web")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_KEYS = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY")  # as obstore finds it
_SCOPE = "https://storage.azure.com/.default"


@dataclass(frozen=True)
class Azure:
    """A container and the way to it, in the words of django-storages."""

    azure_container: str
    """The container."""
    location: str = ""
    """The folder in it under which everything is."""
    account_name: str | None = None
    """The storage account. Default: ``AZURE_STORAGE_ACCOUNT_NAME``."""
    account_key: str | None = field(default=None, repr=False)
    """Its key. Default of all credentials: the environment, the managed identity of the machine."""
    sas_token: str | None = field(default=None, repr=False)
    """A shared access signature."""
    connection_string: str | None = field(default=None, repr=False)
    """All of these in one, as Azure's portal shows it."""
    token_credential: object = field(default=None, repr=False)
    """A credential of ``azure-identity``."""
    endpoint_suffix: str = "core.windows.net"
    """The cloud that the account is in."""
    endpoint_url: str | None = None
    """The address of the account, where it is another than its name and ``endpoint_suffix`` make."""
    azure_ssl: bool = True
    """False asks without encryption. An ``endpoint_url`` says it itself."""
    verify: bool | str | None = None
    """False trusts every certificate; a path is that of certificates to trust beside the system's."""
    cache_control: str | None = None
    """The Cache-Control of every object whose put does not say another."""
    object_parameters: Mapping[str, object] = field(default_factory=dict)
    """What every object gets unless its put says otherwise: ``cache_control``, ``content_disposition``,
    ``content_encoding``, ``content_language``, ``content_type``, ``metadata``."""
    signing_url: str | None = None
    """The address of the container for browsers, where it is another than that which the store is asked at:
    ``https://files.example.com/container``. Signed URLs are made for it."""
    limits: Limits = field(default_factory=Limits)
    """How long the store is waited for."""

    extra = "azure"
    own = "x-ms-meta-"
    batch = 256
    conditional = True
    proven = True
    permissions: ClassVar[Mapping[Verb, str]] = AZURE

    def __post_init__(self) -> None:
        if not _CONTAINER.fullmatch(self.azure_container):
            raise ConfigError(f"azure_container {self.azure_container!r} cannot be the name of a container.")
        if self.account_name is not None and not _ACCOUNT.fullmatch(self.account_name):
            raise ConfigError(f"account_name {self.account_name!r} cannot be the name of a storage account.")
        ways = ("account_key", "sas_token", "connection_string", "token_credential")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are several credentials: give one of them.")
        if self.connection_string is not None and self.account_name is not None:
            raise ConfigError("account_name is in the connection_string already: give one of them.")
        if self.endpoint_url is not None:
            checked_endpoint(self.endpoint_url)
        if self.signing_url is not None:
            checked_endpoint(self.signing_url, "signing_url")
        folder(self.location)
        self.access()
        _ = self.fields

    def store(self) -> AzureStore:
        """The container as a store.

        It does not copy: Azure may copy later, and the copy is there, not whole, before.
        https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob
        """
        return AzureStore(self)

    @property
    def needs(self) -> Mapping[str, str]:
        """See `Needs`."""
        return {"obstore": self.extra}

    @property
    def name(self) -> str:
        """The store as people know it."""
        return f"az://{self.azure_container}/{self.prefix}".rstrip("/")

    @property
    def prefix(self) -> str:
        """Before all keys."""
        return folder(self.location)

    @property
    def fields(self) -> Mapping[str, str]:
        """What every object answers with."""
        first = {"Cache-Control": self.cache_control} if self.cache_control else {}
        return first | checked_parameters(self.object_parameters, PARAMETERS, self.own)

    def access(self) -> dict[str, Any]:
        """Account, address and key as obstore takes them. Raises `ConfigError`."""
        scheme = "https" if self.azure_ssl else "http"
        account, key, token = self.account_name, self.account_key, self.sas_token
        suffix, endpoint = self.endpoint_suffix, self.endpoint_url
        if self.connection_string is not None:
            parts = _parts(self.connection_string)
            account, key, token = parts.get("accountname"), parts.get("accountkey"), parts.get("sharedaccesssignature")
            scheme = parts.get("defaultendpointsprotocol", scheme)
            suffix = parts.get("endpointsuffix", suffix)
            endpoint = endpoint or parts.get("blobendpoint")
        account = account or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        if account is None:
            raise ConfigError("account_name is needed, or a connection_string that has it.")
        config = {"account_name": account, "endpoint": endpoint or f"{scheme}://{account}.blob.{suffix}"}
        checked_endpoint(config["endpoint"])
        # Said outright, so that nothing in the environment is taken instead.
        if key is not None:
            config |= {"account_key": key, "credential_type": "access_key"}
        elif token is not None:
            config |= {"sas_key": token.removeprefix("?"), "credential_type": "sas_token"}
        return config

    def address(self, path: str) -> str:
        """The URL of a blob."""
        return f"{self.access()['endpoint'].rstrip('/')}/{quote(self.azure_container)}/{quote(path)}"

    def trusted(self) -> ssl.SSLContext:
        """What certificates are checked with. Raises `ConfigError`."""
        context = ssl.create_default_context()
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif isinstance(self.verify, str):
            try:
                context.load_verify_locations(self.verify)
            except OSError as error:  # ssl.SSLError is one
                raise ConfigError(f"verify: {printable(self.verify)} cannot be read: {os_reason(error)}.") from None
        return context

    def signed(self, sign: Callable[[], str], url: str) -> tuple[str, Mapping[str, str]]:
        """``url`` as it can be asked, and header fields that belong to it; ``sign`` gives one that obstore signs.

        obstore signs with the account's key, and with one that it asks Azure for in the name of an identity.
        """
        if self.token_credential is not None:
            return url, {"Authorization": f"Bearer {_bearer(self.token_credential)()['token']}"}
        token = self.access().get("sas_key")
        return (f"{url}?{token}", {}) if token else (sign(), {})

    def write_headers(self, key: str) -> Mapping[str, str]:  # noqa: ARG002
        """None: who may read is the container's to say."""
        return {}

    def signer(self) -> Signer:
        """What signs URLs: the account's key, or one that Azure gives daily to whom ``token_credential`` is of.

        Raises `ConfigError` without both.
        """
        found = self.access()
        key = found.get("account_key")
        credential: Any = self.token_credential
        if key is None and found.get("credential_type") is None and credential is None:
            key = next((key for name in _KEYS if (key := os.environ.get(name))), None)
        endpoint = found["endpoint"].rstrip("/")
        address = self.signing_url or f"{endpoint}/{self.azure_container}"
        if key is not None:
            known = account_key(key)
            return AzureSigner(found["account_name"], lambda _expires: known, self.azure_container, address)
        if credential is not None:
            context = _context(self.verify)
            wait = self.limits.hurried().request
            keys = DelegationKeys(endpoint, lambda: str(credential.get_token(_SCOPE).token), context, wait)
            return AzureSigner(found["account_name"], keys.key, self.azure_container, address)
        # A SAS of the container would let whoever gets a URL do with all of it what the store may.
        raise ConfigError(
            "Nothing to sign URLs with: give account_key, a connection_string that has it, or a token_credential. "
            "A sas_token lets the store in, but cannot sign for one file."
        )

    def client(self, module: Any, headers: Mapping[str, str], limits: Limits) -> Any:
        """A client of obstore's ``module`` that sends ``headers`` with every request."""
        config = self.access()
        options = limits.client_options() | trust(self.verify)
        options |= {"default_headers": dict(headers), "allow_http": config["endpoint"].startswith("http://")}
        return module._store.AzureStore(
            self.azure_container,
            config=config,
            client_options=options,
            retry_config=limits.retry_config(),
            credential_provider=None if self.token_credential is None else _bearer(self.token_credential),
        )


def _parts(text: str) -> dict[str, str]:
    """A connection string's names, in lower case, and values."""
    pairs = (part.partition("=") for part in text.strip().split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _context(verify: bool | str | None) -> ssl.SSLContext | None:
    """The option ``verify`` as Python's own client takes it."""
    if verify is False:
        return ssl._create_unverified_context()  # noqa: S323
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else None


def _bearer(credential: Any) -> Callable[[], dict[str, Any]]:
    """What obstore asks for a token, from a credential of azure-identity."""

    def token() -> dict[str, Any]:
        found = credential.get_token(_SCOPE)
        return {"token": found.token, "expires_at": datetime.fromtimestamp(found.expires_on, UTC)}

    return token
