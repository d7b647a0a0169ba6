"""What each provider calls the permissions that the verbs of a `Store` need, each with the page that says so.

- AWS and those with its policies: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
- Azure: https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-azure-active-directory
- Backblaze: https://www.backblaze.com/docs/cloud-storage-s3-compatible-app-keys
- Cloudflare: https://developers.cloudflare.com/r2/api/tokens/
- DigitalOcean: https://docs.digitalocean.com/products/spaces/how-to/manage-access/
- Google: https://docs.cloud.google.com/storage/docs/access-control/iam-json (an overwrite needs delete, too)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Verb = Literal["create", "overwrite", "read", "list", "copy", "refield", "delete", "public"]
"""What is asked of a store; ``public`` is what a browser asks, without credentials."""

S3: Mapping[Verb, str] = {
    "create": "s3:PutObject on the objects",
    "overwrite": "s3:PutObject on the objects",
    "read": "s3:GetObject on the objects",
    "list": "s3:ListBucket on the bucket itself; without it, a key that is not there is refused rather than not found",
    "copy": "s3:GetObject and s3:PutObject on the objects",
    "refield": "s3:GetObject and s3:PutObject on the objects",
    "delete": "s3:DeleteObject on the objects",
    "public": "s3:GetObject for everybody in the bucket's policy, and no Block Public Access; or let the CDN in front "
    "read the bucket",
}
_R2 = "an API token with 'Object Read & Write' for this bucket"
CLOUDFLARE: Mapping[Verb, str] = {
    **dict.fromkeys(("create", "overwrite", "list", "copy", "refield", "delete"), _R2),
    "read": "an API token with 'Object Read only', or 'Object Read & Write', for this bucket",
    "public": "a custom domain of the bucket, or its r2.dev address",
}
BACKBLAZE: Mapping[Verb, str] = {
    "create": "an application key with writeFiles",
    "overwrite": "an application key with writeFiles",
    "read": "an application key with readFiles",
    "list": "an application key with listFiles",
    "copy": "an application key with readFiles and writeFiles",
    "refield": "an application key with readFiles and writeFiles",
    "delete": "an application key with writeFiles and deleteFiles",
    "public": "the bucket's type allPublic",
}
_SPACES = "an access key with 'Read/Write/Delete' for this bucket"
DIGITALOCEAN: Mapping[Verb, str] = {
    **dict.fromkeys(("create", "overwrite", "copy", "refield", "delete"), _SPACES),
    "read": "an access key with 'Read' for this bucket",
    "list": "an access key with 'Read' for this bucket",
    "public": "default_acl = 'public-read', or s3:GetObject for everybody in the bucket's policy",
}
GOOGLE: Mapping[Verb, str] = {
    "create": "storage.objects.create (role Storage Object User)",
    "overwrite": "storage.objects.create and storage.objects.delete (role Storage Object User)",
    "read": "storage.objects.get (role Storage Object Viewer, for web processes)",
    "list": "storage.objects.list (role Storage Object Viewer, for web processes)",
    "copy": "storage.objects.get, storage.objects.create and storage.objects.delete (role Storage Object User)",
    "refield": "storage.objects.update (role Storage Object User)",
    "delete": "storage.objects.delete (role Storage Object User)",
    "public": "the role Storage Legacy Object Reader for allUsers on the bucket, and no public access prevention",
}
_CONTRIBUTOR = "the role Storage Blob Data Contributor on the container"
AZURE: Mapping[Verb, str] = {
    "create": f"{_CONTRIBUTOR} (.../containers/blobs/write; of a SAS, c and w)",
    "overwrite": f"{_CONTRIBUTOR} (.../containers/blobs/write; of a SAS, w)",
    "read": "the role Storage Blob Data Reader on the container (.../containers/blobs/read; of a SAS, r)",
    "list": "the role Storage Blob Data Reader on the container (.../containers/blobs/read; of a SAS, l)",
    "copy": f"{_CONTRIBUTOR} (.../containers/blobs/write)",
    "refield": f"{_CONTRIBUTOR} (.../containers/blobs/read and write; of a SAS, r and w)",
    "delete": f"{_CONTRIBUTOR} (.../containers/blobs/delete; of a SAS, d)",
    "public": "the container's access level 'Blob', and the account's 'Allow Blob anonymous access'",
}
