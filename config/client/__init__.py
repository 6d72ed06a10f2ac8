"""A typed Python client of Atalaya's HTTP API. It needs httpx and nothing of the server.

with Client("https://atalaya.example") as atalaya:
    atalaya.login("marta", "…")
    ticket = atalaya.tickets.create(subject="Lost parcel", body="It never came.")
"""

from .base import UNSET, Model, Unset, Upload
from .client import Client
from .paging import Pages
from .problems import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    KeyReused,
    NotFound,
    NotSignedIn,
    ProblemError,
    RateLimited,
    ServerFault,
    StaleVersion,
    Unavailable,
)
from .stream import StreamEvent
from .transport import Download, RetryPolicy

__all__ = [
    "UNSET",
    "Client",
    "Conflict",
    "Download",
    "FieldError",
    "Forbidden",
    "InvalidInput",
    "KeyReused",
    "Model",
    "NotFound",
    "NotSignedIn",
    "Pages",
    "ProblemError",
    "RateLimited",
    "RetryPolicy",
    "ServerFault",
    "StaleVersion",
    "StreamEvent",
    "Unavailable",
    "Unset",
    "Upload",
]
