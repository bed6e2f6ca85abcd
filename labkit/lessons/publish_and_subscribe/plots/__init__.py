"""The picture of lesson 02: how far each subscriber is behind."""
