from __future__ import annotations

import os
from typing import Any

from shipfiles.config import ServeConfig
from shipfiles.django import middleware, responses
from shipfiles.serve.opened import Span


class WhiteNoiseMiddleware(middleware.ShipfilesMiddleware):
    # How long a file is kept whose name stands for its bytes; ten years there.
    FOREVER = ServeConfig().immutable_max_age


def WhiteNoiseFileResponse(file: Any) -> responses._FileResponse:
    size = os.fstat(file.fileno()).st_size
    with file:
        span = Span(os.dup(file.fileno()), 0, size, whole=True)
    return responses._FileResponse(span, 200, span.file)
