"""Are groups of people treated alike? Gaps to look at, and tests that may be looked at for ever.

Where base rates differ, the criteria exclude each other: choose one for each model.
"""
