"""The site for uvicorn. Here the files are answered by the middleware in the settings."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbour.settings")

application = get_asgi_application()
