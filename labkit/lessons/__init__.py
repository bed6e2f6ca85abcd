"""Floor 8: the lessons, a folder each, named as its notebook is without the number. No lesson imports another.

A folder's docstring is its reading order. Its modules measure: run(...) -> Result. `plots` draws what they found,
`panel` has the controls where the common one does not do, `exercises` asks. What two lessons use is on a floor below.
Names are loaded when they are used, because the processes of a run load these packages too.
"""
