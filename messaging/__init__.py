"""Private messages between members, and broadcasts of the team to them."""
