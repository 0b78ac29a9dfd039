"""What `make dev` runs with: development, where a change of Python, templates, styles or scripts is seen at once."""

from ctplatform.settings.development import *  # noqa: F403 - settings build on settings
from ctplatform.settings.development import CONTENT_SECURITY_POLICY, DJANGO_VITE, TEMPLATES

VITE = "localhost:5173"  # as frontend/vite.config.ts says

DJANGO_VITE["default"] |= {"dev_mode": True, "dev_server_host": "localhost", "dev_server_port": 5173}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

# Django keeps templates in memory unless it is told the loaders.
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["OPTIONS"]["loaders"] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]

# Vite's server sends scripts, puts styles into the page as elements and tells of changes through a socket.
CONTENT_SECURITY_POLICY["DIRECTIVES"]["script-src"] += [f"http://{VITE}"]
CONTENT_SECURITY_POLICY["DIRECTIVES"]["style-src"] += ["'unsafe-inline'", f"http://{VITE}"]
CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"] += [f"http://{VITE}"]
CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"] += [f"http://{VITE}", f"ws://{VITE}"]
