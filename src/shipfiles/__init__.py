"""Shipfiles takes a Django project's static and media files from a laptop to production."""
