"""Commands about accounts that stand before those of Django of the same name."""
