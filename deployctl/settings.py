"""Every setting, read from the environment once; needs none of it to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from deployctl import environment as env
from deployctl.launch.places import Places
from deployctl.launch.roles import APP, DATABASE

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".data"))).resolve()
DEBUG = env.flag("DEBUG")
# Set when people reach the product through a TLS proxy: cookies leave only over TLS.
HTTPS = env.flag("HTTPS")
SECRET_KEY_FILE = Path(env.text("SECRET_KEY_FILE", str(DATA_DIR / "secret-key")))
# Empty when there is no file yet: Django then refuses to sign anything.
SECRET_KEY = env.content("SECRET_KEY_FILE", SECRET_KEY_FILE)
# What opens the secrets of drivers; read when it is needed, see services/sealing.py.
SECRETS_KEY_FILE = Path(
    env.text("DEPLOYCTL_SECRETS_KEY_FILE", str(DATA_DIR / "secrets-key"))
)
# Where people find the pages, as https://deploy.example.com: said before a path.
# Beside `up` it is known without.
PUBLIC_URL = env.address("PUBLIC_URL") or env.noted(Places(DATA_DIR).url).rstrip("/")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

# -- the application ---------------------------------------------------------------

INSTALLED_APPS = [
    "deployctl.apps.DeployctlConfig",  # first: its migrate command wins over Django's
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Every view asks for a sign-in unless it says login_not_required itself.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last: it reads the form before a view does, and answers what cannot be read.
    "deployctl.web.unreadable.answers_unreadable",
]
ROOT_URLCONF = "deployctl.urls"
ASGI_APPLICATION = "deployctl.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "deployctl.web.shell.shell",
            ],
        },
    },
]

# -- the truth ---------------------------------------------------------------------

# The application's own login: no superuser, and no way to rewrite what happened.
# Empty means the embedded server of this DATA_DIR, which `manage.py up` starts.
DATABASE_URL = env.connection("DATABASE_URL")
_EMBEDDED_URL = f"host={Places(DATA_DIR).sockets} user={APP} dbname={DATABASE}"
# The role that owns the tables. Only `manage.py migrate` is ever given it.
DATABASE_OWNER_URL = env.connection("DATABASE_OWNER_URL")
# LISTEN needs a direct connection, not a transaction-mode pooler.
DATABASE_LISTEN_URL = env.connection(
    "DATABASE_LISTEN_URL", DATABASE_URL or _EMBEDDED_URL
)
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database(DATABASE_URL or _EMBEDDED_URL)
}
if DATABASE_OWNER_URL:
    DATABASES["owner"] = env.database(DATABASE_OWNER_URL)
# The role that migrations grant to.
DATABASE_APP_ROLE: str = DATABASES["default"]["USER"]
# Set by `manage.py web`: many request threads share few connections.
if _pool := env.count("DATABASE_POOL", 0, least=0, most=1000):
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": _pool}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The layer lives inside one process; between processes PostgreSQL rings the bell.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@dataclass(frozen=True)
class Engine:
    """How the engine keeps time; seconds unless the name says otherwise.

    Each is overridden by DEPLOYCTL_<NAME>, and in tests by dataclasses.replace.
    """

    beat_seconds: float = env.seconds("DEPLOYCTL_BEAT_SECONDS", 2)
    dead_after_seconds: float = env.seconds("DEPLOYCTL_DEAD_AFTER_SECONDS", 10)
    trust_seconds: float = env.seconds("DEPLOYCTL_TRUST_SECONDS", 8)
    poll_seconds: float = env.seconds("DEPLOYCTL_POLL_SECONDS", 2)
    sweep_seconds: float = env.seconds("DEPLOYCTL_SWEEP_SECONDS", 1)
    reconcile_seconds: float = env.seconds("DEPLOYCTL_RECONCILE_SECONDS", 10)
    lock_timeout_seconds: float = env.seconds("DEPLOYCTL_LOCK_TIMEOUT_SECONDS", 1)
    # How often a worker looks whether accepted targets, or all others, are due for a
    # look, how old a look at one that no live deployment watches may be, and how many
    # looks may be under way at once.
    watch_seconds: float = env.seconds("DEPLOYCTL_WATCH_SECONDS", 1)
    look_seconds: float = env.seconds("DEPLOYCTL_LOOK_SECONDS", 60)
    looks: int = env.count("DEPLOYCTL_LOOKS", 100)
    # How old what a worker knows of secrets and addresses may be, if no bell rings.
    reach_seconds: float = env.seconds("DEPLOYCTL_REACH_SECONDS", 30)
    # How many operations one worker process may have open at once.
    places: int = env.count("DEPLOYCTL_PLACES", 200)


ENGINE = Engine()
# A worker must stop trusting its last beat before others hold it for dead.
if not ENGINE.beat_seconds < ENGINE.trust_seconds < ENGINE.dead_after_seconds:
    raise env.Wrong(
        "DEPLOYCTL_BEAT_SECONDS must be less than DEPLOYCTL_TRUST_SECONDS, and that"
        " less than DEPLOYCTL_DEAD_AFTER_SECONDS: else two workers could act at once."
    )

# -- people and browsers -----------------------------------------------------------

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# Behind a TLS proxy the scheme seen here is http, so the outer names are said aloud.
CSRF_TRUSTED_ORIGINS = env.origins(ALLOWED_HOSTS) if HTTPS else []
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        # Tabler draws its check marks and arrows as data: images inside its CSS.
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

# -- static files ------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served straight from the tree, with ETag and a minute of cache: nothing to collect,
# and an upgraded page never runs yesterday's script.
WHITENOISE_USE_FINDERS = True

# -- logs --------------------------------------------------------------------------

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "deployctl.logs.formatter"}},
    "filters": {"clients": {"()": "deployctl.logs.ClientsFaults"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["clients"],
        }
    },
    # daphne tells of every start and endpoint; up says what a person wants to know.
    # asyncssh tells of every connection and command.
    "loggers": {"daphne": {"level": "WARNING"}, "asyncssh": {"level": "WARNING"}},
    "root": {"handlers": ["stderr"], "level": env.chosen("LOG_LEVEL", "INFO", _LEVELS)},
}
