"""Django's commands for the demo: ``python demo/manage.py runserver``. ``scripts/demo`` does all of it by itself."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbour.settings")
    execute_from_command_line(sys.argv)
