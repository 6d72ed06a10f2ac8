"""The objects of the API, by the paths that use them."""
