"""For pages that learn of a newer release: ``"shipfiles.django.newer"`` in INSTALLED_APPS.

An application of its own, so that its script is among the files of those projects only that want it.
"""
