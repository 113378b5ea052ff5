"""What evidence adds up to: processes that may be looked at after every window.

`e_process` for a comparison with an end (a rollout), `e_sr` for monitoring that never ends,
`confidence_sequence` for intervals, `recovery` for the way back.
"""
