"""The site as it is deployed."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from shipfiles.serve.wsgi import StaticApp

application = StaticApp(get_wsgi_application())
