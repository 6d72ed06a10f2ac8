"""The machinery of backups: pure and engine-level parts that know no Django model."""
