"""Every read of the desk; one file per aggregate."""
