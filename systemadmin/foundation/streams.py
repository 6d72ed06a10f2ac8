"""What every event stream needs from the server it runs in."""

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

CONTENT_TYPE = "text/event-stream"


async def release_thread() -> None:
    """Give back what Django holds for a request's whole life: its thread and its connection.

    An idle stream would keep both, so that a thousand of them were a thousand threads, and the
    connection pool would be empty after ten.
    """
    await sync_to_async(connections.close_all)()
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.pop(context, None) if context else None
    if executor is not None:
        executor.shutdown(wait=False)
