"""The life of alerts: they open, are amended or withdrawn by late labels, and end."""
