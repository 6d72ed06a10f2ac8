"""What a backup is made of: manifest, keys, streams, checksums, files."""
