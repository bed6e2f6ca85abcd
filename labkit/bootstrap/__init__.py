"""From a bare python3 to one that has the packages. Standard library only.

Reading order: `packages` what the course needs, and who has it · `venv` the folder .venv and its marker ·
`install` uv and pip · `enter` which interpreter runs a command, and the step into it.
"""
