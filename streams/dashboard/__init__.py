"""The Grafana dashboard, built from code: rows of panels over the metrics of the catalogue."""
