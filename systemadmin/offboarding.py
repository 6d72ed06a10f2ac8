"""What the base app holds of an account that may be staff's."""

from systemadmin.foundation.plugins import Holding
from systemadmin.services.offboarding import base_holdings

HOLDINGS: list[Holding] = base_holdings()
