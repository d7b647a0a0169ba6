"""An application whose static files are in the store of STORAGE, which it has asked before it is asked anything.

Answers with what it knows of the file that the path names: its URL as it was before workers were forked, and now, and
its bytes, read from the store by several threads (greenlets, where gevent has taken their place).
"""

from __future__ import annotations

import json
import os
import threading

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 50,
    INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"],
    STORAGES={
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": json.loads(os.environ["STORAGE"]),
    },
)
django.setup()

from django.core.files.storage import storages  # noqa: E402
from django.templatetags.static import static  # noqa: E402

BEFORE = {name: static(name) for name in ("css/a.css", "css/i.png")}


def application(environ, start_response):
    logical = environ["PATH_INFO"].strip("/")
    storage = storages["staticfiles"]
    found: list[str] = []

    def read() -> None:
        with storage.open(storage.stored_name(logical)) as file:
            found.append(file.read().decode())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = {"pid": os.getpid(), "before": BEFORE[logical], "now": static(logical), "bodies": found}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
