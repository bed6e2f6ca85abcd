"""Floor 9: looks at the machine and the lab, and says what is wrong and its cure. `report` collects; the rest looks."""
