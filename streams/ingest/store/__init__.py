"""The join store: predictions that wait for their labels, packed in pages."""
