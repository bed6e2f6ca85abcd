"""Floor 2: thin clients, each with its broker's own verbs. There is no common base class: the difference is the lesson.

Both write to a trace what they do and see, and keep the bytes of what they cannot read.
"""
