"""The contenders of rolling.py, and one run of each. It needs the environment of the benches."""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen

from workplace import REPOSITORY

# The site is that of a test.
sys.path.append(str(REPOSITORY))

from tests.rolling.client import Clients
from tests.rolling.deployment import SHIPFILES, Deployment, Product, ended
from tests.rolling.trees import Trees

SEED = 20_261_121
OURS = SHIPFILES.name
SERVERS = ("gunicorn", "gunicorn", "gunicorn")


def contenders() -> Mapping[str, Product]:
    """Every way to deploy that is compared."""
    whitenoise = {"middleware": ("whitenoise.middleware.WhiteNoiseMiddleware",)}
    whitenoise_modules = "bench.project.whitenoise_storage.WhiteNoiseModules"
    django_modules = "bench.project.storages.DjangoModules"
    compressed = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    django = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    made = (
        SHIPFILES,
        Product(
            "whitenoise, a folder each",
            whitenoise_modules,
            folder_each=True,
            **whitenoise,
        ),
        Product("whitenoise, one folder", whitenoise_modules, **whitenoise),
        Product("whitenoise, one folder, as it comes", compressed, **whitenoise),
        Product("django and nginx, --clear", django_modules, clear=True, from_disk=True),
        Product("django and nginx, never cleared", django_modules, from_disk=True),
        Product("django and nginx, never cleared, as it comes", django, from_disk=True),
    )
    return {product.name: product for product in made}


def measured(product: Product, folder: Path, rounds: int) -> Counter[str]:
    """What clients saw while that many releases were rolled out; every fourth is the one before, again.

    Where there is such a thing, what no open page needs is pruned beside each deploy.
    """
    shutil.rmtree(folder, ignore_errors=True)
    trees = Trees(random.Random(SEED), cycles=False)
    deployment = Deployment(folder, product, SERVERS)
    with deployment.running():
        current = trees.following()
        deployment.collect(current)
        deployment.roll(current)
        clients = Clients(deployment.port, trees.made, SEED)
        with clients.loading():
            pruning: Popen[str] | None = None
            for number in range(1, rounds + 1):
                if number % 4:
                    current = trees.following()
                    deployment.collect(current)
                else:
                    current = trees.made[-2]
                    deployment.rollback(current)
                if pruning is not None:
                    ended(pruning)
                deployment.roll(current)
                if product.has_releases:
                    pruning = deployment.begin_prune(current, clients.oldest())
            if pruning is not None:
                ended(pruning)
    print(clients.summary(), file=sys.stderr, flush=True)
    return clients.counts
