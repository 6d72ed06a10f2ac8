"""Every read of the marketplace, named and chainable."""
