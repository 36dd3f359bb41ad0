"""The WSGI application, for `serve web` and for any WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailhost.settings")

application = get_wsgi_application()
