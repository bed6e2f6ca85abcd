"""The picture of lesson 09: who was never charged, and who twice."""
