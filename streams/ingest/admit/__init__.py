"""Which rows count: watermarks, plans, routes, the sample that waits for labels."""
