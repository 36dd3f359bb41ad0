"""Django's settings, all derived from `mailhost.config.Config` (`settings.MAILHOST`)."""

import contextlib
import os
import secrets
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from mailhost.admin_theme import UNFOLD as UNFOLD
from mailhost.config import ConfigError, load

BASE_DIR = Path(__file__).resolve().parent.parent
try:
    MAILHOST = load()
except ConfigError as error:
    # Whoever starts a process with a wrong setting gets the sentence, not a traceback.
    raise SystemExit(str(error)) from None
HOME = MAILHOST.home.absolute()


def _secret_key() -> str:
    """The configured key, or one made at first use and kept in the home directory."""
    if MAILHOST.secret_key:
        return MAILHOST.secret_key
    path = HOME / "keys" / "secret-key"
    if not path.exists():
        for directory in (HOME, path.parent):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(f".{secrets.token_hex(8)}")
        draft.touch(0o600)
        draft.write_text(secrets.token_urlsafe(50))
        # link() fails where another process was first: then its key is the one.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def _database(url: str) -> dict[str, Any]:
    if url.startswith(("postgres://", "postgresql://")):
        from psycopg import IsolationLevel

        parts = urlsplit(url)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            # Seconds, and milliseconds: a server that cannot be reached is noticed that soon.
            "OPTIONS": {
                "connect_timeout": 5,
                "tcp_user_timeout": 15_000,
                "keepalives_idle": 15,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                **dict(parse_qsl(parts.query)),
                # Whatever is the role's default: who waits for a lock then reads what was written.
                "isolation_level": IsolationLevel.READ_COMMITTED,
            },
        }
    path = url.removeprefix("sqlite://") if url else str(HOME / "mailhost.sqlite3")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456;"
                # What is deleted is overwritten with zeros, as Debian's build does anyway.
                "PRAGMA secure_delete=ON;"
                # Or each large UPDATE writes the pages it changes to a temporary file first.
                "PRAGMA temp_store=MEMORY;"
            ),
        },
    }


try:
    SECRET_KEY = _secret_key()
except OSError as error:
    at = f"{error.filename}: " if error.filename else ""
    sentence = f"The home {HOME} cannot be used: {at}{error.strerror}."
    raise SystemExit(f"{sentence} MAILHOST_HOME names another.") from None
DEBUG = MAILHOST.debug
ALLOWED_HOSTS = [MAILHOST.hostname, "localhost", "127.0.0.1", "[::1]", MAILHOST.url_host]
DATABASES = {"default": _database(MAILHOST.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "mailhost.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "accounts",
    "delivery",
    "protocols",
    "mailhost.apps.MailhostConfig",
]

MIDDLEWARE = [
    "protocols.web.doorway.Doorway",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mailhost.urls"
WSGI_APPLICATION = "mailhost.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "protocols" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
AUTHENTICATION_BACKENDS = ["accounts.web_login.MailboxBackend", "accounts.web_login.AdminBackend"]

# Who opens the login page itself, not a page that asked for a login.
LOGIN_URL, LOGIN_REDIRECT_URL = "admin:login", "admin:index"

# Where only this machine can reach the web, it is plain HTTP, and secure cookies would be lost.
_IS_REACHED = not ip_address(MAILHOST.bind).is_loopback or bool(MAILHOST.proxy_networks)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_REACHED
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if _IS_REACHED else 0
X_FRAME_OPTIONS = "DENY"
# The doorway redirects, for it knows loopback and named proxies; Mailhost's own checks stand in for
# these, and what a domain may be preloaded with is for its owner to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W009", "security.W021"]
if not _IS_REACHED:
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W012", "security.W016"]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "unfold"]
FORMAT_MODULE_PATH = ["mailhost.formats"]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "protocols" / "web" / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LOGGING_CONFIG = "mailhost.logs.configure"
LOGGING = {"format": MAILHOST.log_format, "level": MAILHOST.log_level}
