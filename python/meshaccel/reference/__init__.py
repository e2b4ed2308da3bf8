"""Pure-Python twins of the native parts, written to be read and obviously right.

They are the oracle of property tests, ours and yours. Nothing in meshaccel uses them at run time.
"""
