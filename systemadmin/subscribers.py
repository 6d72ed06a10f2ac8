"""What this app does on signals from below: nothing yet is below it but Django."""
