"""The risk desk in the admin; one file per aggregate."""
