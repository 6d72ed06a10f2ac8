"""What is kept of accounts, their sessions, keys and sign-ins."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q

from systemadmin.foundation.api.idempotency import KEEP
from systemadmin.foundation.retention import Job, Rows, Span, Table
from systemadmin.services.personal_exports import due_exports, expire_exports

EXPIRED = Span(fixed=timedelta(0))
EXPORTS = Span(setting="privacy.export_days")
SIGN_INS = Span(setting="sign_in.keep_failures_days")
WITH_ACCOUNT = "as long as the account"

ACCOUNTS = [
    Table(
        model="systemadmin.User",
        holds="accounts: names, e-mail address, Telegram chat, country, password hash, suspension",
        purpose="signing in and writing to the person; every record of an act names an account",
        owners=["pk"],
        kept="until the account is erased",
    ),
    Table(
        model="systemadmin.User_groups",
        holds="roles of accounts",
        purpose="rights",
        owners=["user"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="systemadmin.User_user_permissions",
        holds="permissions of service accounts",
        purpose="rights",
        owners=["user"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="systemadmin.LegalHold",
        holds="reasons why the data of an account has to stay",
        purpose="proof that data was kept with a reason",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="systemadmin.AccountExport",
        holds="exports of accounts: a ZIP file with everything about a person",
        purpose="handing people a copy of their data",
        owners=["account"],
        rules=[
            Job(
                name="exports",
                span=EXPORTS,
                run=lambda _seconds: expire_exports(),
                due=due_exports,
                says="the file is deleted; the row stays as long as the account",
            )
        ],
    ),
    Table(
        model="systemadmin.AccountErasure",
        holds="which account was erased when and by whom, with numbers of rows, and a keyed hash "
        "of the external id",
        purpose="proof that an erasure was done",
        owners=["account"],
        kept="for ever: it holds no name of the erased person, and no hash can be read back",
    ),
    Table(
        model="systemadmin.EncryptedTotpDevice",
        holds="encrypted secrets of authenticator apps",
        purpose="second factor",
        owners=["user"],
        kept="until it is replaced or switched off",
    ),
    Table(
        model="systemadmin.StaffIdentity",
        holds="whom the identity provider of staff means: issuer and subject of an account",
        purpose="signing in by the provider",
        owners=["user"],
        kept="until it is disconnected; of an erased account a keyed hash stays",
    ),
    Table(
        model="systemadmin.RecoveryCode",
        holds="hashes of recovery codes",
        purpose="second factor",
        owners=["user"],
        kept="until new codes are made or the second factor is switched off",
    ),
    Table(
        model="systemadmin.AccessLink",
        holds="one-time links sent to staff: for what, until when, digest of the address",
        purpose="each link works once and for one address",
        owners=["user"],
        rules=[
            Rows(
                name="access_links",
                span=Span(fixed=timedelta(days=30)),
                moment="expires_at",
            )
        ],
    ),
    Table(
        model="systemadmin.ApiToken",
        holds="hashes of bearer tokens with device, address and user agent",
        purpose="signing in by the API; the owner's list of devices",
        owners=["user"],
        rules=[Rows(name="tokens", span=EXPIRED, moment="expiry")],
    ),
    Table(
        model="systemadmin.FileImport",
        holds="how far files were imported: path, numbers of rows",
        purpose="an import that was killed goes on where it stopped",
        rules=[
            Rows(
                name="file_imports",
                span=Span(fixed=timedelta(days=90)),
                moment="updated_at",
            )
        ],
    ),
    Table(
        model="systemadmin.ServiceKey",
        holds="keys of machines: name, owner, addresses, last use",
        purpose="calls of services; the audit trail names the account of a key",
        owners=["owner"],
        kept="for ever: revoked keys say who answered for what was done",
    ),
    Table(
        model="systemadmin.ServiceKeySecret",
        holds="digests of the secrets of service keys",
        purpose="recognising a key; a replaced or revoked one is refused by name",
        kept="as long as the key",
    ),
    Table(
        model="sessions.Session",
        holds="web sessions",
        purpose="signing in to the admin",
        rules=[Rows(name="sessions", span=EXPIRED, moment="expire_date")],
    ),
    Table(
        model="systemadmin.UserSession",
        holds="address and user agent of each web session",
        purpose="the owner's list of devices",
        owners=["user"],
        rules=[
            Rows(
                name="session_devices",
                # The session is written a moment after its description.
                span=Span(fixed=timedelta(minutes=5)),
                moment="created_at",
                where=Q(~Exists(Session.objects.filter(session_key=OuterRef("session_key")))),
            )
        ],
    ),
    Table(
        model="systemadmin.Demo2FASession",
        holds="sign-ins of demo staff with the demo code",
        purpose="second factor in demo mode",
        owners=["user"],
        rules=[Rows(name="demo_sessions", span=EXPIRED, moment="expires_at")],
    ),
    Table(
        model="systemadmin.IdempotencyKey",
        holds="answers to repeatable requests",
        purpose="the same request twice has one effect",
        owners=["user"],
        rules=[Rows(name="idempotency_keys", span=Span(fixed=KEEP), moment="created_at")],
    ),
    Table(
        model="axes.AccessAttempt",
        holds="failed sign-ins: hashed name, address, user agent",
        purpose="locking out whoever guesses passwords",
        rules=[Rows(name="failed_sign_ins", span=SIGN_INS, moment="attempt_time")],
    ),
    Table(
        model="axes.AccessAttemptExpiration",
        holds="ends of lockouts; not used here",
        purpose="django-axes",
        rules=[Rows(name="lockout_ends", span=SIGN_INS, moment="expires_at")],
    ),
    Table(
        model="axes.AccessFailureLog",
        holds="nothing: this log is switched off",
        purpose="django-axes",
        rules=[Rows(name="failed_sign_in_log", span=SIGN_INS, moment="attempt_time")],
    ),
    Table(
        model="axes.AccessLog",
        holds="nothing: this log is switched off",
        purpose="django-axes",
        rules=[Rows(name="sign_in_log", span=SIGN_INS, moment="attempt_time")],
    ),
]
