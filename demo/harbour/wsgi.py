"""The site for gunicorn and granian. `StaticApp` answers for the files before Django sees the request."""

import os

from django.core.wsgi import get_wsgi_application

from shipfiles.serve.wsgi import StaticApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbour.settings")

application = StaticApp(get_wsgi_application())
