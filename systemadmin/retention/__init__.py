"""What the base app and the libraries below it keep: of whom, why, how long."""

from systemadmin.retention.accounts import ACCOUNTS
from systemadmin.retention.events import EVENTS
from systemadmin.retention.messages import MESSAGES
from systemadmin.retention.records import RECORDS
from systemadmin.retention.work import WORK

TABLES = [*ACCOUNTS, *RECORDS, *MESSAGES, *WORK, *EVENTS]
