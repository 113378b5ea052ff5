"""INGEST: bytes in, pane deltas out. Pure: no clock, no Kafka, no disk of its own."""
