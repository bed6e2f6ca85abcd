"""Lesson 00: is my lab alive, and how long does one event take?

Reading order: `first_events_clients` (one client for each broker), `first_events` (the run).
"""
