"""What to do about events that come twice, late or not at all. Storage and publish are handed in."""
