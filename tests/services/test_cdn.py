"""A site whose pages load their files in Chromium from a CDN in front of a bucket, as docs/publishing.md has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.rolling.deployment import Deployment
from tests.rolling.trees import Tree

from .asked import get
from .cdn import CDNS, RELAYED, Bucket, make_bucket, nginx, published_in
from .drawing import Drawing, check, draw, plain_server
from .drawn_page import PAGE, write_page
from .servers import free_port
