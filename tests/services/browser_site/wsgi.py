"""The site as it is deployed, with a witness in front that writes down what was asked for and answered."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from shipfiles.serve.wsgi import StaticApp

_log = os.open(os.environ["SITE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_django = get_wsgi_application()
_site = _django if "SITE_MIDDLEWARE" in os.environ else StaticApp(_django)


def application(environ, start_response):
    path = environ["PATH_INFO"].encode("latin-1").decode()  # now: Django puts the decoded one there

    def witnessed(status, headers, exc_info=None):
        os.write(_log, f"{status[:3]} {path}\n".encode())
        return start_response(status, headers, exc_info)

    return _site(environ, witnessed)
