"""What the marketplace does when something happens below it: only enqueue."""
