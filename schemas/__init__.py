"""What travels: every event, policy and internal message, as pydantic models.

This package imports nothing else of ours. The one definition of an event is its pydantic
model; the hot decoder (`schemas.hot`), JSON Schema and AsyncAPI are derived from it.
"""
