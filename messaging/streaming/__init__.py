"""Event streams: one listener a process, thousands of idle connections."""
