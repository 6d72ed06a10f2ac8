"""Pages of a list: a table of millions of rows is neither counted nor paged to its end."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Pages of the first so many rows; who looks for others searches, filters or turns the order.

    Without it a list counts every row for each page, and its last page reads all those before it.
    """

    most = 5_000

    @cached_property
    def count(self) -> int:
        """Rows, or the bound where there are more."""
        return min(self._counted, self.most)

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than the pages show."""
        return self._counted > self.most

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most + 1].count())
