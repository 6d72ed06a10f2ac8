"""Anomalies: rules, detection, findings and what staff do with them."""
