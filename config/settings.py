"""Settings of the whole project, read from the environment and from `.env`.

Every variable is described in `docs/configuration.md`; a test holds that list complete.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import api_settings
from config.backup_storage import backup_storage
from config.database import database_settings
from config.queue_settings import queue_settings
from systemadmin.foundation.headers import CONTENT_SECURITY_POLICY as POLICY
from systemadmin.foundation.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

TESTING = "pytest" in sys.modules
# Workers keep plain persistent connections: psycopg's pool does not survive their forks.
IS_WORKER = len(sys.argv) > 1 and sys.argv[1] == "qcluster"

# -- the machine ---------------------------------------------------------------

DEBUG = env.bool("DJANGO_DEBUG", default=False)
DEMO_MODE = env.bool("DEMO_MODE", default=False)
if DEMO_MODE and not (DEBUG or TESTING or env.bool("DEMO_MODE_IN_PUBLIC", default=False)):
    raise ImproperlyConfigured(
        "DEMO_MODE is on without DJANGO_DEBUG: anyone who reaches this server can sign in with "
        "the published demo passwords. Unset DEMO_MODE, or set DEMO_MODE_IN_PUBLIC=1 too if "
        "this is a public demo without real members."
    )
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="")
if not SECRET_KEY:
    if not (DEBUG or TESTING):
        raise ImproperlyConfigured(
            "Set DJANGO_SECRET_KEY to a long random string (for a trial on your own "
            "machine, set DJANGO_DEBUG=1 instead)."
        )
    SECRET_KEY = "insecure-key-for-debug-and-tests-only-" + "0" * 24
SECRET_KEY_FALLBACKS = env.list("DJANGO_SECRET_KEY_FALLBACKS", default=[])
# Keys of the audit trail, the current one first; empty: derived from the secret keys.
AUDIT_KEYS = env.list("AUDIT_KEYS", default=[])
ALLOWED_HOSTS = env.list(
    "DJANGO_ALLOWED_HOSTS",
    default=["localhost", "127.0.0.1", "[::1]", "testserver"] if DEBUG or TESTING else [],
)
CSRF_TRUSTED_ORIGINS = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000")
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
# Requests that one web process works on at a time (config/gateway.py).
WEB_THREADS = env.int("WEB_THREADS", default=16)
# Demo mode changes nothing for real accounts; demo staff have the demo code.
REQUIRE_STAFF_2FA = env.bool("REQUIRE_STAFF_2FA", default=not DEBUG)
GEOIP_PATH = env.str("GEOIP_PATH", default="")

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
if TESTING:
    # Parallel test processes keep their locks and files apart, as machines would.
    VAR_DIR = VAR_DIR / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "main")
BACKUP_DIR = Path(env.str("BACKUP_DIR", default=str(VAR_DIR / "backups"))).resolve()
BACKUP_PASSPHRASE = env.str("BACKUP_PASSPHRASE", default="")
# Names this installation in its backups; empty for the identity kept in the database.
INSTALLATION_ID = env.str("INSTALLATION_ID", default="")
BACKUP_S3_BUCKET = env.str("BACKUP_S3_BUCKET", default="")
BACKUP_S3_PREFIX = env.str("BACKUP_S3_PREFIX", default="")
BACKUP_S3_ENDPOINT_URL = env.str("BACKUP_S3_ENDPOINT_URL", default="")
# Storages whose files go into a backup, by their names in STORAGES.
BACKUP_MEDIA = ["default", "private"]
# A database tool that runs, or stays silent, for longer than this is ended.
BACKUP_TOOL_SECONDS = env.float("BACKUP_TOOL_SECONDS", default=5400)
BACKUP_SILENCE_SECONDS = env.float("BACKUP_SILENCE_SECONDS", default=900)
# Critical acts (demo purge, erasures, migrate_safely) start only after a backup.
BACKUP_BEFORE_CRITICAL = env.bool("BACKUP_BEFORE_CRITICAL", default=not TESTING)
LOG_DIR = env.str("LOG_DIR", default="" if TESTING else str(VAR_DIR / "logs"))
VAR_DIR.mkdir(parents=True, exist_ok=True)

# -- applications --------------------------------------------------------------

ATALAYA_APPS = ["systemadmin", "riskops", "support", "marketplace", "messaging"]
INSTALLED_APPS = [
    "config.apps.AtalayaAdminConfig",
    # Before Django's: of two commands of one name, the earlier application's is taken.
    "config.apps.AccountCommandsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "django_otp",
    "axes",
    "csp",
    "django_q",
    *ATALAYA_APPS,
    # After ours, which have commands of the same names.
    "dbbackup",
    "config.apps.ProjectConfig",
]

MIDDLEWARE = [
    "systemadmin.foundation.middleware.HealthHostMiddleware",
    "systemadmin.foundation.middleware.RequestContextMiddleware",
    "systemadmin.foundation.access_log.AccessLogMiddleware",
    "systemadmin.foundation.middleware.TrafficMiddleware",
    "systemadmin.foundation.headers.SecurityHeadersMiddleware",
    "systemadmin.foundation.request_encoding.Utf8Middleware",
    "systemadmin.maintenance_middleware.HardMaintenanceMiddleware",
    "systemadmin.foundation.blocklist.BlocklistMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "systemadmin.foundation.headers.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "systemadmin.foundation.middleware.ApiPathMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "systemadmin.foundation.middleware.UserContextMiddleware",
    "systemadmin.fault_pages.StaffPageLimitMiddleware",
    "systemadmin.maintenance_middleware.MaintenanceMiddleware",
    "systemadmin.middleware.SessionSeenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
CSRF_FAILURE_VIEW = "systemadmin.fault_pages.csrf_failure"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

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
                "django.template.context_processors.i18n",
            ],
        },
    },
]

# -- database, cache, queue ----------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'atalaya.sqlite3'}")
DATABASES = {
    "default": database_settings(
        DATABASE_URL,
        is_testing=TESTING,
        is_persistent=IS_WORKER or TESTING or env.bool("DATABASE_PERSISTENT", default=False),
        pool_size=env.int("DATABASE_POOL", default=10),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": (
        {
            "BACKEND": "systemadmin.foundation.redis_cache.GuardedRedisCache",
            "LOCATION": REDIS_URL,
            # Redis keeps pickles; this reader takes data only.
            "OPTIONS": {"serializer": "systemadmin.foundation.safe_pickle.PlainRedisSerializer"},
        }
        if REDIS_URL
        else {
            "BACKEND": "systemadmin.foundation.cache.ExactDatabaseCache",
            "LOCATION": "cache_entries",
        }
    )
}

Q_CLUSTER = queue_settings(workers=env.int("QUEUE_WORKERS", default=2))

# -- people and sign-in --------------------------------------------------------

AUTH_USER_MODEL = "systemadmin.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "systemadmin.backends.AccountBackend",
    "systemadmin.backends.ProviderBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "admin:login"
# knox's own table is replaced by ours; its migrations would still create it.
MIGRATION_MODULES = {"knox": None}
KNOX_TOKEN_MODEL = "systemadmin.ApiToken"  # noqa: S105 - a model's name
REST_KNOX = {"TOKEN_TTL": timedelta(hours=10), "AUTH_HEADER_PREFIX": "Bearer"}
AXES_HANDLER = "systemadmin.services.sign_in_lock.LockoutHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# A guess during the lock-out is not counted, so Retry-After stays true.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit trail says more, and covers members too
AXES_VERBOSE = False
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_CLIENT_IP_CALLABLE = "systemadmin.foundation.client_ip.lockout_address"
AXES_LOCKOUT_CALLABLE = "systemadmin.foundation.api.problems.locked_out"
# People type passwords into the name field: neither rows nor log lines hold what was typed.
AXES_USERNAME_CALLABLE = "systemadmin.services.sign_in_lock.name_for_axes"
AXES_SENSITIVE_PARAMETERS = ["username", "password", "otp_code", "csrfmiddlewaretoken"]
OTP_TOTP_ISSUER = "Atalaya"

# -- members of the platform ---------------------------------------------------

# The platform's own issuer, whose tokens open the member's side. Empty: none is accepted.
PLATFORM_ISSUER = env.str("PLATFORM_ISSUER", default="")
PLATFORM_AUDIENCE = env.str("PLATFORM_AUDIENCE", default="")
PLATFORM_JWKS_URL = env.str("PLATFORM_JWKS_URL", default="")
PLATFORM_ALGORITHMS = env.list("PLATFORM_ALGORITHMS", default=["RS256", "ES256"])
PLATFORM_SCOPES = env.list("PLATFORM_SCOPES", default=[])
PLATFORM_CREATE_MEMBERS = env.bool("PLATFORM_CREATE_MEMBERS", default=False)
PLATFORM_CLOCK_SKEW = env.int("PLATFORM_CLOCK_SKEW", default=60)

# -- sign-in of staff by an identity provider (OpenID Connect) -----------------

# Empty: there is no provider.
STAFF_OIDC_ISSUER = env.str("STAFF_OIDC_ISSUER", default="")
STAFF_OIDC_CLIENT_ID = env.str("STAFF_OIDC_CLIENT_ID", default="")
STAFF_OIDC_CLIENT_SECRET = env.str("STAFF_OIDC_CLIENT_SECRET", default="")
STAFF_OIDC_SCOPES = env.list("STAFF_OIDC_SCOPES", default=["openid", "profile", "email"])
STAFF_OIDC_LABEL = env.str("STAFF_OIDC_LABEL", default="")
STAFF_OIDC_GROUPS_CLAIM = env.str("STAFF_OIDC_GROUPS_CLAIM", default="groups")
# Names of groups may hold commas and equal signs: JSON, {"group": "role"}.
STAFF_OIDC_ROLES = env.json("STAFF_OIDC_ROLES", default={})
STAFF_OIDC_REQUIRED_CLAIMS = env.json("STAFF_OIDC_REQUIRED_CLAIMS", default={})
STAFF_OIDC_ACR = env.list("STAFF_OIDC_ACR", default=[])
STAFF_OIDC_AMR = env.list("STAFF_OIDC_AMR", default=[])
STAFF_OIDC_CREATE_ACCOUNTS = env.bool("STAFF_OIDC_CREATE_ACCOUNTS", default=False)
STAFF_OIDC_LINK_BY_EMAIL = env.bool("STAFF_OIDC_LINK_BY_EMAIL", default=False)
STAFF_OIDC_ALGORITHMS = env.list("STAFF_OIDC_ALGORITHMS", default=["RS256", "PS256", "ES256"])
STAFF_OIDC_CLOCK_SKEW = env.int("STAFF_OIDC_CLOCK_SKEW", default=60)
STAFF_OIDC_SESSION_MINUTES = env.int("STAFF_OIDC_SESSION_MINUTES", default=480)
# Off: staff sign in at the provider only, but for the account named here.
STAFF_LOCAL_SIGN_IN = env.bool("STAFF_LOCAL_SIGN_IN", default=True)
STAFF_EMERGENCY_ACCOUNT = env.str("STAFF_EMERGENCY_ACCOUNT", default="")

# -- API -----------------------------------------------------------------------

REST_FRAMEWORK = api_settings.REST_FRAMEWORK
# On one's own machine the schema may be looked at without signing in.
SPECTACULAR_SETTINGS = api_settings.spectacular_settings(
    is_public=DEBUG or TESTING, public_url=PUBLIC_URL
)
# The first reads multipart forms as UTF-8 or refuses them; the others keep the files.
FILE_UPLOAD_HANDLERS = [
    "systemadmin.foundation.uploads.Utf8UploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# -- security ------------------------------------------------------------------

RATELIMIT_USE_CACHE = "default"
RATELIMIT_ENABLE = True
SILENCED_SYSTEM_CHECKS = [
    # The embedded cache counts exactly (see foundation/cache.py and its four-process
    # test); django-ratelimit only knows that Django's own database cache does not.
    "django_ratelimit.E003",
    "django_ratelimit.W001",
]
_BEHIND_TLS = env.bool("DJANGO_TLS", default=not (DEBUG or TESTING))
SECURE_SSL_REDIRECT = _BEHIND_TLS
SECURE_HSTS_SECONDS = 63072000 if _BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _BEHIND_TLS
SECURE_HSTS_PRELOAD = _BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^api/health(/ready)?/?$"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = POLICY

# -- language and time ---------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
# The second holds texts of Django itself, said with "tú" as all others are.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "django"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# -- files ---------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR_DIR / "static"))).resolve()
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
        # Read by the web server, which runs as another account, whatever umask collected them.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
    "private": {
        "BACKEND": "systemadmin.foundation.files.PrivateFileSystemStorage",
        "OPTIONS": {"location": VAR_DIR / "private"},
    },
}
STORAGES["backups"] = STORAGES["dbbackup"] = backup_storage(
    folder=BACKUP_DIR,
    bucket=BACKUP_S3_BUCKET,
    prefix=BACKUP_S3_PREFIX,
    endpoint_url=BACKUP_S3_ENDPOINT_URL,
)
# django-dbbackup's own commands are replaced by ours, and so are its connectors: the stock
# ones dump without a manifest and restore over the live database.
_POSTGRES_DUMP = "systemadmin.backups.engines.postgres.connector.SnapshotConnector"
DBBACKUP_CONNECTOR_MAPPING = {
    "django.db.backends.postgresql": _POSTGRES_DUMP,
    "systemadmin.foundation.postgresql": _POSTGRES_DUMP,
    "django.db.backends.sqlite3": "systemadmin.backups.engines.sqlite.SafeSqliteConnector",
}

# -- channels ------------------------------------------------------------------

TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
TELEGRAM_CHAT_ID = env.str("TELEGRAM_CHAT_ID", default="")
TELEGRAM_API_URL = env.str("TELEGRAM_API_URL", default="https://api.telegram.org")
ALERT_URLS = env.list("ALERT_URLS", default=[])
EMAIL_URL = env.str("EMAIL_URL", default="consolemail://" if DEBUG else "dummymail://")
EMAIL_CONFIG = environ.Env.email_url_config(EMAIL_URL)
if EMAIL_CONFIG["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend":
    # `filemail:///var/mail` is /var/mail; the package drops the first slash.
    mail_folder = urlsplit(EMAIL_URL)
    EMAIL_CONFIG["EMAIL_FILE_PATH"] = unquote(mail_folder.netloc + mail_folder.path)
vars().update(EMAIL_CONFIG)
if EMAIL_CONFIG["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend":
    # The same with a deadline: Django's waits for a silent server without end.
    EMAIL_BACKEND = "systemadmin.foundation.smtp.EmailBackend"
if TESTING:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Hosts, addresses and networks inside that staff may name (webhooks, IMAP servers).
OUTGOING_PRIVATE_HOSTS = env.list("OUTGOING_PRIVATE_HOSTS", default=[])
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Atalaya <atalaya@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

LOGGING = logging_config(log_dir=LOG_DIR, debug=DEBUG or TESTING)

# -- our own hooks: the foundation knows no app, settings name what it calls ----

TRAFFIC = "systemadmin.services.telemetry"
# Notices about changes to accounts: they run while maintenance pauses the queue.
URGENT_TASKS = ["systemadmin.tasks.deliver_security_notice"]
TASK_GUARD = "systemadmin.services.task_guard"
# What the API answers for an act that waits for a second person.
DEFERRED_ACTS = "systemadmin.api.approvals"
TASK_REFUSALS = "systemadmin.services.task_refusals"
BATCH_FAILURES = "systemadmin.services.batch_failures"
IDEMPOTENCY_MODEL = "systemadmin.IdempotencyKey"
# How long one process may answer from its copy of the stored configuration (seconds);
# None keeps it until this process writes (tests).
COUNT_REQUESTS = not TESTING
CONFIGURATION_MAX_AGE = None if TESTING else 1.0
# How long one process may repeat its last readiness (seconds).
READINESS_MAX_AGE = 0.0 if TESTING else 1.0
